import type { Browser, Locator, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { Desktop } from '../../broker/api/assignments.js'
import { obstacles } from '../support/accessibility.js'
import { startBrowser } from '../support/browser.js'
import { until } from '../support/until.js'
import { untilFocused } from './dialogue-focus.js'
import { type PagesOffice, pagesOffice, person, windowOf } from './pages-office.js'

t.setTimeout(360_000)
/** The display's, in dots (rfb-display.ts). */
const [WIDTH, HEIGHT] = [4, 3]
const KEY_TYPES = [4, 255]
const keys = (): number =>
  (it.display.seen.at(-1) ?? []).filter((type) => KEY_TYPES.includes(type)).length

let it: PagesOffice
let browser: Browser
t.before(async () => {
  it = await pagesOffice(3)
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await it.stop()
})

const button = (page: Page, name: string): Locator =>
  page.getByRole('button', { name, exact: true })
const screen = (page: Page): Locator => page.locator('.berth-canvas canvas')
async function shown(page: Page): Promise<void> {
  await button(page, 'Keys').waitFor()
}
async function atHisScreen(
  name: string,
): Promise<Awaited<ReturnType<typeof windowOf>> & { machine: string }> {
  await person(it.broker, name)
  const { machine } = await it.broker.admin.post<Desktop>('/pools/desks/assign', {
    user: name,
    waitMs: 30_000,
  })
  const window = await windowOf(browser, it.broker, name, { path: `/machines/${machine}/console` })
  await shown(window.page)
  return { ...window, machine }
}
async function isFull(page: Page): Promise<boolean> {
  return await page.evaluate('document.fullscreenElement !== null')
}

t.test(
  'full screen: the button says which way it goes, dialogues are seen in it, and it ends with the page',
  async (t) => {
    const { page, faults, close } = await atHisScreen('alice')
    await button(page, 'Full screen').click()
    await button(page, 'Leave full screen').waitFor()
    t.ok(await isFull(page))
    await button(page, 'Keys').click()
    await page.getByText('Ctrl-Alt-Shift').waitFor()
    t.ok(
      await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
      'the menu stands within the window',
    )
    await page.keyboard.press('Escape')
    t.same(await obstacles(page), [])
    await button(page, 'Send text').click()
    const text = page.getByLabel('Text', { exact: true })
    await text.fill('abc')
    const box = await text.boundingBox()
    t.equal(
      await page.evaluate(
        `document.elementFromPoint(${(box?.x ?? 0) + 9}, ${(box?.y ?? 0) + 9}).id`,
      ),
      'paste-text',
      'it lies over the screen',
    )
    t.ok(
      await page.evaluate(
        'document.fullscreenElement.contains(document.getElementById("paste-text"))',
      ),
      'nothing beside what fills the screen is drawn',
    )
    await button(page, 'Cancel').click()
    await button(page, 'Leave full screen').click()
    await button(page, 'Full screen').waitFor()
    t.notOk(await isFull(page))

    await button(page, 'Full screen').click()
    await button(page, 'Leave full screen').waitFor()
    await page.evaluate('document.exitFullscreen()') // as the browser does by its own key
    await button(page, 'Full screen').waitFor()
    await button(page, 'Full screen').click()
    await button(page, 'Leave full screen').waitFor()
    await page.getByRole('link', { name: 'Back to my desktops' }).click()
    await page.getByRole('article').waitFor()
    await until(async () => !(await isFull(page)), {
      withinMs: 3_000,
      what: 'full screen has ended',
    })
    t.same(faults, [])
    await close()
  },
)

async function choose(page: Page, name: string): Promise<void> {
  await button(page, 'Size of the screen').click()
  await page.getByRole('menuitem', { name }).click()
}
async function untilSize(page: Page, width: number, height: number): Promise<void> {
  await until(
    async () => {
      const box = await screen(page).boundingBox()
      if (Math.abs((box?.width ?? 0) - width) > 1 || Math.abs((box?.height ?? 0) - height) > 1)
        throw new Error(JSON.stringify(box))
      return true
    },
    {
      withinMs: 5_000,
      everyMs: 30,
      what: `the screen is ${Math.round(width)} by ${Math.round(height)}`,
    },
  )
}
/** As large as the window lets it be, in its own proportions. */
async function untilFitted(t: Test, page: Page): Promise<void> {
  const room = await page.locator('.berth-canvas').boundingBox()
  const scale = Math.min((room?.width ?? 0) / WIDTH, (room?.height ?? 0) / HEIGHT)
  t.ok(scale > 50, 'there is room')
  await untilSize(page, WIDTH * scale, HEIGHT * scale)
}

t.test(
  'it fits the window, also when that changes; dot for dot when so chosen, which is remembered',
  async (t) => {
    const { page, faults, close } = await atHisScreen('bob')
    await untilFitted(t, page)
    for (const size of [
      { width: 900, height: 500 },
      { width: 500, height: 900 },
    ]) {
      await page.setViewportSize(size)
      await until(
        async () => (await page.locator('.berth-canvas').boundingBox())?.width === size.width,
        { withinMs: 3_000, what: 'the page has the new size' },
      )
      await untilFitted(t, page)
    }
    await choose(page, 'Actual size')
    await untilSize(page, WIDTH, HEIGHT)
    await page.setViewportSize({ width: 1_000, height: 700 })
    await page.reload()
    await shown(page)
    await untilSize(page, WIDTH, HEIGHT)
    await button(page, 'Size of the screen').click()
    t.equal(
      await page
        .getByRole('menuitem', { name: 'Actual size' })
        .locator('.pf-v6-c-menu__item-select-icon')
        .count(),
      1,
    )
    t.equal(await page.locator('.pf-v6-c-menu__item-select-icon').count(), 1)
    await page.getByRole('menuitem', { name: 'Fit the window' }).click()
    await untilFitted(t, page)
    t.same(faults, [])
    await close()
  },
)

t.test(
  'the broker goes away: it is said, with a countdown and a way to hurry; when it is back, ' +
    'so is the screen, and the keys go to it',
  async (t) => {
    const { page, close, machine } = await atHisScreen('carol')
    await screen(page).click()
    await page.keyboard.press('a')
    const { port } = it.broker.broker
    await it.broker.stop()
    await page
      .getByText('The broker restarts')
      .or(page.getByRole('heading', { name: 'The connection was lost' }))
      .first()
      .waitFor()
    await page
      .getByText(/^Again in \d+ s$/)
      .first()
      .waitFor()
    t.same(await obstacles(page), [])
    const tried = page.waitForRequest((request) =>
      request.url().endsWith(`/machines/${machine}/screen`),
    )
    await button(page, 'Try now').click()
    await tried
    await it.broker.start({ listenPort: port })
    const before = it.display.seen.length
    await until(() => it.display.seen.length > before, {
      withinMs: 30_000,
      everyMs: 50,
      what: 'the screen is opened again',
    })
    await shown(page)
    await untilFocused(page, screen(page))
    await page.keyboard.press('b')
    await until(() => keys() >= 2, { withinMs: 5_000, everyMs: 30, what: 'the guest gets the key' })

    await page.keyboard.press('Tab')
    await untilFocused(page, screen(page))
    for (const key of ['Control', 'Alt', 'Shift']) await page.keyboard.down(key)
    for (const key of ['Shift', 'Alt', 'Control']) await page.keyboard.up(key)
    await untilFocused(page, button(page, 'Keys'))
    t.pass('the screen takes every key but the way out')
    await close()
  },
)
