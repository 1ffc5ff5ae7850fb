import { frame as english } from '../language/en.json'
import { frame as lithuanian } from '../language/lt.json'
import { reloadAgain } from './reload-again.js'

// Stands before all other scripts and styles of the page, by itself: when one of them does not
// come, there is nobody else to say so.

/** What the page itself names. What is fetched later is its own parts' concern. */
let named: Element[] | null = null
let failed = false

document.addEventListener('DOMContentLoaded', () => {
  named = [...document.querySelectorAll('script[src], link[rel=stylesheet]')]
})
window.addEventListener(
  'error',
  ({ target }) => {
    const isPart =
      target instanceof HTMLScriptElement ||
      (target instanceof HTMLLinkElement && target.rel === 'stylesheet')
    if (failed || !isPart || named?.includes(target) === false) return
    failed = true
    void reloadAgain().then(say)
  },
  true, // such an event does not bubble
)

/** The page as it is without any of its scripts: a sentence and a button. */
function say(): void {
  const chosen = localStorage.getItem('berth-language') ?? navigator.language
  const words = chosen.startsWith('lt') ? lithuanian : english
  const [main, sentence, button] = ['main', 'p', 'button'].map((tag) => document.createElement(tag))
  if (!main || !sentence || !button) return
  sentence.setAttribute('role', 'alert')
  sentence.textContent = words.partMissingWhy
  button.textContent = words.reload
  button.addEventListener('click', () => {
    window.location.reload()
  })
  main.append(sentence, button)
  document.getElementById('root')?.replaceChildren(main)
}
