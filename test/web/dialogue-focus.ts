import type { Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import { until } from '../support/until.js'

/** A dialogue, as somebody without a mouse opens and leaves it. */
export interface Asked {
  /** Holds the focus before, and gets it back. */
  readonly opener: Locator
  /** The item of the menu that `opener` shows. */
  readonly item?: string | RegExp
  /** The button that leaves it without doing anything. */
  readonly leave?: string
  /** Fills in what is needed. */
  readonly fill?: (dialogue: Locator) => Promise<void>
  /** The button that does it. */
  readonly act: string | RegExp
  /** The button that leaves the dialogue which then says what came of it. */
  readonly told?: string
  /** What is seen later, when it was done; by then the opener may be gone. */
  readonly done?: () => Promise<unknown>
}

/** In a row, at which it must be there. */
const LOOKS = 7

/** Where the focus is, in words; the functions run in the page. */
async function focused(page: Page): Promise<string> {
  return await page.evaluate(
    "(() => { const at = document.activeElement; return at === null ? 'nothing' : " +
      "at.tagName.toLowerCase() + ' ' + (at.getAttribute('aria-label') ?? at.textContent ?? " +
      "'').slice(0, 60) })()",
  )
}

async function isFocused(control: Locator): Promise<boolean> {
  return (
    (await control.count()) === 1 &&
    (await control.evaluate(
      (element: unknown) =>
        element ===
        (element as { ownerDocument: { activeElement: unknown } }).ownerDocument.activeElement,
    ))
  )
}

/** Waits until the focus is on something, which stays so for a while: what changes by push comes later. */
async function untilHeld(page: Page, what: string, isRight: () => Promise<boolean>): Promise<void> {
  let looks = 0
  await until(
    async () => {
      looks = (await isRight()) ? looks + 1 : 0
      if (looks === 0) throw new Error(`the focus is on ${await focused(page)}`)
      return looks > LOOKS
    },
    { withinMs: 7_000, everyMs: 30, what },
  )
}

/** Somewhere in the page, where one can go on from: never on nothing, which is what `body` is. */
async function untilSomewhere(page: Page): Promise<void> {
  await untilHeld(
    page,
    'the focus is somewhere',
    async () =>
      await page.evaluate(
        '(() => { const at = document.activeElement; return at !== null && at !== ' +
          "document.body && at.closest('[role=dialog]') === null && at.getClientRects().length " +
          '> 0 })()',
      ),
  )
}

async function open(page: Page, { opener, item }: Asked): Promise<Locator> {
  await opener.focus()
  await page.keyboard.press('Enter')
  if (item !== undefined) {
    const choice = page.getByRole('menuitem', { name: item })
    await choice.focus()
    await page.keyboard.press('Enter')
  }
  const dialogue = page.getByRole('dialog')
  await dialogue.waitFor()
  await untilWithin(page)
  return dialogue
}

/** Waits until this has the focus, and keeps it. */
export async function untilFocused(page: Page, control: Locator): Promise<void> {
  await untilHeld(page, 'the focus is there', async () => await isFocused(control))
}
/** Waits until nothing has the focus, and stays so. */
export async function untilNowhere(page: Page): Promise<void> {
  await untilHeld(
    page,
    'nothing has the focus',
    async () =>
      await page.evaluate(
        '[document.body, document.querySelector("main")].includes(document.activeElement)',
      ),
  )
}
export async function untilWithin(page: Page): Promise<void> {
  await untilHeld(page, 'the focus is in the dialogue', async () => await isWithin(page))
}

async function isWithin(page: Page): Promise<boolean> {
  return await page.evaluate('document.activeElement?.closest("[role=dialog]") != null')
}

/** Tab and Shift+Tab go round in it. Gives how many places were seen. */
async function goRound(t: Test, page: Page, dialogue: Locator): Promise<void> {
  const count = await dialogue
    .locator('button, input, select, textarea, a[href], [tabindex="0"]')
    .count()
  for (const key of ['Tab', 'Shift+Tab']) {
    for (let index = 0; index <= count; index++) {
      await page.keyboard.press(key)
      if (!(await isWithin(page))) {
        t.fail(`${key} leaves the dialogue for ${await focused(page)}`)
        return
      }
    }
  }
}

async function gone(dialogue: Locator): Promise<void> {
  await dialogue.waitFor({ state: 'detached' })
}

/**
 * Opens it three times by the keyboard: closed by Escape, by its button, and by doing it. The focus
 * goes in, stays within, and comes back.
 */
export async function keepsFocus(t: Test, page: Page, asked: Asked): Promise<void> {
  const { opener, leave = 'Cancel', fill, act, told, done } = asked
  const escaped = await open(page, asked)
  await goRound(t, page, escaped)
  await page.keyboard.press('Escape')
  await gone(escaped)
  await untilHeld(page, 'the focus is back after Escape', async () => await isFocused(opener))
  const left = await open(page, asked)
  await left.getByRole('button', { name: leave, exact: true }).last().focus()
  await page.keyboard.press('Enter')
  await gone(left)
  await untilHeld(page, `the focus is back after "${leave}"`, async () => await isFocused(opener))
  const dialogue = await open(page, asked)
  await fill?.(dialogue)
  await dialogue.getByRole('button', { name: act }).last().focus()
  await page.keyboard.press('Enter')
  if (told !== undefined) {
    await untilWithin(page)
    await dialogue.getByRole('button', { name: told, exact: true }).last().focus()
    await page.keyboard.press('Enter')
  }
  await gone(dialogue)
  await done?.()
  await untilSomewhere(page)
  t.pass(`${String(act)}: the focus was never lost`)
}
