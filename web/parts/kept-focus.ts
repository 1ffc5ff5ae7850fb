/** What only lies over the page for a while: nobody goes back to it. */
const OVER = '[role=dialog], .pf-v6-c-menu'

/**
 * Where the focus is, and then the nearest things around it that can have it: in this order they
 * take it over. None of them is a part of what lies over the page.
 */
let place: readonly HTMLElement[] = []
/** What had the focus last, wherever it was; null: nothing, or the person has left it themselves. */
let last: HTMLElement | null = null
/** A mouse button or a finger goes down in this very task: what loses the focus now was left by a person. */
let pressing = false
let lookingLater = false

/**
 * Keeps the keyboard's focus from being lost. A browser drops it to the page as a whole when what
 * had it goes away: a dialogue is closed, a row is deleted, a button is pressed and cannot be
 * pressed again. Then it goes to an open dialogue, else back to where it was in the page, else to
 * what stood around that, else to the heading. To be called once.
 */
export function keepFocus(): void {
  document.addEventListener('focusin', ({ target }) => {
    if (target instanceof HTMLElement) note(target)
  })
  document.addEventListener(
    'mousedown',
    () => {
      pressing = true
      setTimeout(() => {
        pressing = false
      })
    },
    { capture: true },
  )
  document.addEventListener('focusout', ({ target }) => {
    // Only a person's own click leaves nothing focused; a button that is disabled for a moment does not.
    if (!pressing) return
    // What has gone away is no longer there a moment later.
    setTimeout(() => {
      if (
        document.activeElement === document.body &&
        target === last &&
        last !== null &&
        canHave(last)
      )
        last = null
    })
  })
  new MutationObserver(look).observe(document.body, {
    childList: true,
    subtree: true,
    attributeFilter: ['disabled'],
  })
}

function note(target: HTMLElement): void {
  last = target
  if (target.closest(OVER) !== null) return
  const around: HTMLElement[] = []
  for (let at = target.parentElement; at !== null; at = at.parentElement)
    if (at.hasAttribute('tabindex')) around.push(at)
  place = [target, ...around]
}

/** Now, and once more when it was drawn: a browser takes the focus from what is disabled or hidden only then. */
function look(): void {
  restore()
  if (lookingLater) return
  lookingLater = true
  requestAnimationFrame(() => {
    setTimeout(() => {
      lookingLater = false
      restore()
    })
  })
}

function restore(): void {
  if (
    last === null ||
    canHave(last) ||
    (document.activeElement !== null && document.activeElement !== document.body)
  )
    return
  const dialogue = [...document.querySelectorAll<HTMLElement>('[role=dialog]')].at(-1)
  const next = dialogue ?? place.find(canHave)
  give(
    next === undefined || next.tagName === 'MAIN'
      ? (document.querySelector<HTMLElement>('main h1') ?? document.querySelector('main'))
      : next,
  )
}

function give(element: HTMLElement | null): void {
  if (!element) return // it is tried again when there is something
  if (!element.hasAttribute('tabindex') && element.tabIndex < 0) element.tabIndex = -1
  element.focus({ preventScroll: true })
}

function canHave(element: HTMLElement): boolean {
  return (
    element.isConnected &&
    !element.matches(':disabled') &&
    element.getClientRects().length > 0 &&
    getComputedStyle(element).visibility !== 'hidden'
  )
}
