import type { Browser, BrowserContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { openWindow, startBrowser } from '../support/browser.js'
import { until } from '../support/until.js'
import { PASSWORD, type PagesOffice, pagesOffice, person } from './pages-office.js'

// The network is away for a moment just while a script or a style is fetched.
t.setTimeout(240_000)
let it: PagesOffice
let browser: Browser
t.before(async () => {
  it = await pagesOffice(1)
  browser = await startBrowser()
  await person(it.broker, 'alice')
})
t.teardown(async () => {
  await browser.close()
  await it.stop()
})

/** A window of its own in which the next `times` fetches of such files fail. Gives how many did. */
async function withMissing(
  t: Test,
  what: RegExp,
  times: number,
): Promise<{ page: Page; context: BrowserContext; failed: () => number }> {
  const { page, context } = await openWindow(browser)
  t.teardown(() => context.close())
  let failed = 0
  await context.route(what, async (route) => {
    if (failed >= times) return void (await route.continue())
    failed += 1
    await route.abort('connectionreset')
  })
  return { page, context, failed: () => failed }
}

/** Every style that the page names is there, and so is the login. */
const STYLED = `[...document.querySelectorAll('link[rel=stylesheet]')].every(({ sheet }) => sheet !== null)`
const WHOLE = `document.querySelector('#login-name') !== null && ${STYLED}`

/** Waits until the page says so; one that is just reloaded says nothing. */
async function untilTrue(page: Page, what: string): Promise<void> {
  await until(async () => (await page.evaluate(what).catch(() => false)) === true, {
    withinMs: 20_000,
    what,
  })
}

async function logIn(page: Page): Promise<void> {
  await page.locator('#login-name').fill('alice')
  await page.locator('#login-password').fill(PASSWORD)
  await page.keyboard.press('Enter')
}

for (const [what, file] of [
  ['the script of the page', /\/assets\/index-[^/]*\.js$/],
  ['a script that this one needs', /\/assets\/error-state-[^/]*\.js$/],
  ['a style of the page', /\/assets\/index-[^/]*\.css$/],
] as const)
  t.test(`${what} fails at first: the page comes by itself`, async (t) => {
    const { page, failed } = await withMissing(t, file, 1)
    await page.goto(it.broker.url)
    await untilTrue(page, WHOLE)
    t.equal(failed(), 1)
  })

for (const [what, file] of [
  ['script', /\/assets\/desktops-[^/]*\.js$/],
  ['style', /\/assets\/desktops-[^/]*\.css$/],
] as const)
  t.test(`the ${what} of a part that is opened fails at first: it comes by itself`, async (t) => {
    const { page, failed } = await withMissing(t, file, 1)
    await page.goto(it.broker.url)
    await logIn(page)
    await page.getByRole('button', { name: 'Get a desktop' }).waitFor({ timeout: 30_000 })
    t.equal(failed(), 1)
    await untilTrue(page, STYLED)
  })

t.test(
  'a part that does not come is said, with a button that helps once it is there',
  async (t) => {
    const { page, context, failed } = await withMissing(
      t,
      /\/assets\/desktops-[^/]*\.js$/,
      Infinity,
    )
    await page.goto(it.broker.url)
    await logIn(page)
    await page
      .getByRole('heading', { name: 'A part of this page is missing' })
      .waitFor({ timeout: 30_000 })
    t.ok(failed() >= 3, `it was tried ${failed()} times`)
    await context.unrouteAll()
    await page.getByRole('button', { name: 'Reload the page' }).click()
    await page.getByRole('button', { name: 'Get a desktop' }).waitFor({ timeout: 30_000 })
  },
)

t.test('the same where the page has no script at all', async (t) => {
  const { page, context } = await withMissing(t, /\/assets\/index-[^/]*\.js$/, Infinity)
  await page.goto(it.broker.url)
  await page.getByRole('alert').getByText('could not be loaded').waitFor({ timeout: 30_000 })
  await context.unrouteAll()
  await page.getByRole('button', { name: 'Reload the page' }).click()
  await page.locator('#login-name').waitFor({ timeout: 20_000 })
})
