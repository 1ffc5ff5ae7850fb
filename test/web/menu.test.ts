import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import { obstacles } from '../support/accessibility.js'
import { loaded, logIn, openWindow, type PageOptions, startBrowser } from '../support/browser.js'
import { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'
import { ADMINISTRATOR_NAVIGATION } from '../../web/frame/navigation.js'

t.setTimeout(240_000)
const PATHS = ADMINISTRATOR_NAVIGATION.flatMap(({ pages }) => pages.map(({ to }) => to))
let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await SimulatedBroker.start()
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

async function atHome(options: PageOptions = {}): Promise<{ page: Page; faults: string[] }> {
  const { page, faults } = await openWindow(browser, options)
  await logIn(page, broker.url, 'admin', broker.adminPassword)
  await loaded(page)
  return { page, faults }
}
const menu = (page: Page) => page.getByRole('navigation', { name: 'Pages' })
const untilAt = async (page: Page, path: string): Promise<void> => {
  await until(() => new URL(page.url()).pathname === path, {
    withinMs: 5_000,
    everyMs: 20,
    what: `${path} is shown`,
  })
}

t.test(
  'every page of the menu comes by a click, without loading again, and the menu shows which one it is',
  async (t) => {
    const { page, faults } = await atHome({ height: 1_000 })
    await page.evaluate('window.sameDocument = true')
    for (const path of [...PATHS.filter((one) => one !== '/'), '/']) {
      const link = menu(page).locator(`a[href="${path}"]`)
      await link.click()
      await untilAt(page, path)
      await page.getByRole('heading', { level: 1 }).waitFor()
      const shown = async (): Promise<Array<string | null>> =>
        await menu(page)
          .locator('[aria-current=page]')
          .evaluateAll((links: unknown) =>
            (links as Array<{ getAttribute: (name: string) => string | null }>).map((one) =>
              one.getAttribute('href'),
            ),
          )
      await until(async () => (await shown()).join() === path, {
        withinMs: 3_000,
        everyMs: 20,
        what: `${path} is marked in the menu`,
      })
    }
    t.equal(await page.evaluate('window.sameDocument'), true)
    t.same(faults, [])
  },
)

t.test('by the keyboard, and on a phone, where it makes room when a page was chosen', async (t) => {
  const wide = await atHome()
  await menu(wide.page).locator('a[href="/machines"]').focus()
  await wide.page.keyboard.press('Enter')
  await untilAt(wide.page, '/machines')
  const { page, faults } = await atHome({ phone: true })
  const link = menu(page).locator('a[href="/jobs"]')
  await link.waitFor({ state: 'hidden' })
  await page.getByRole('button', { name: 'Menu' }).tap()
  await link.waitFor()
  await until(async () => (await obstacles(page)).length === 0, {
    withinMs: 3_000,
    everyMs: 300,
    what: 'the menu is open and can be used by everybody',
  })
  await link.tap()
  await untilAt(page, '/jobs')
  await link.waitFor({ state: 'hidden' })
  await page.getByRole('heading', { name: 'Jobs', level: 1 }).waitFor()
  t.same(faults, [])
})
