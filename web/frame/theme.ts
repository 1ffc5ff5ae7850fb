export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]
const CHOSEN = 'berth-theme'

export function chosenTheme(): Theme {
  const found = localStorage.getItem(CHOSEN)
  return THEMES.find((theme) => theme === found) ?? 'system'
}

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(CHOSEN, theme)
  showTheme()
}

const darkSystem = window.matchMedia('(prefers-color-scheme: dark)')

/** Puts the chosen theme on the page; `system` follows the system while the page is open. */
export function showTheme(): void {
  const theme = chosenTheme()
  document.documentElement.classList.toggle(
    'pf-v6-theme-dark',
    theme === 'dark' || (theme === 'system' && darkSystem.matches),
  )
}

export function startTheme(): void {
  showTheme()
  darkSystem.addEventListener('change', showTheme)
}
