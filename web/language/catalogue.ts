import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import en from './en.json'

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: typeof en }
  }
}

/** Every language is one file; a test holds their keys and placeholders equal. */
export const LANGUAGES = { en: 'English', lt: 'Lietuvių' } as const
export type Language = keyof typeof LANGUAGES
const CHOSEN = 'berth-language'

function isLanguage(text: string | undefined): text is Language {
  return text !== undefined && text in LANGUAGES
}

/** The one that was chosen here, else the browser's first that there is. */
function wantedLanguage(): Language {
  const chosen = localStorage.getItem(CHOSEN) ?? ''
  return [chosen, ...navigator.languages.map((tag) => tag.split('-')[0])].find(isLanguage) ?? 'en'
}

export async function startCatalogue(): Promise<void> {
  await i18next.use(initReactI18next).init({
    resources: { en: { translation: en } },
    lng: 'en',
    fallbackLng: 'en',
    interpolation: { escapeValue: false },
  }) // React escapes
  await speak(wantedLanguage())
}

export async function speak(language: Language): Promise<void> {
  if (language === 'lt' && !i18next.hasResourceBundle('lt', 'translation'))
    i18next.addResourceBundle('lt', 'translation', await lithuanian())
  await i18next.changeLanguage(language)
  document.documentElement.lang = language
}

/** With the broker's refusals by their reasons. English has none: those are the broker's own sentences. */
async function lithuanian(): Promise<object> {
  const [texts, reasons] = await Promise.all([import('./lt.json'), import('./reasons.lt.json')])
  return { ...texts.default, reasons: reasons.default }
}

export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(CHOSEN, language)
  await speak(language)
}
