import type { Browser } from 'playwright-core'
import t from 'tap'
import { logIn, openWindow, startBrowser } from '../support/browser.js'
import { SimulatedBroker } from '../support/simulated-broker.js'

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

t.test('a wrong password is said, a right one lets in, and logging out ends it', async (t) => {
  const { page, faults } = await openWindow(browser)
  await page.goto(`${broker.url}/overview`)
  await page.locator('#login-name').fill('admin')
  await page.locator('#login-password').fill('wrong')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByText('Login failed').waitFor()
  t.equal(await page.locator('#login-password').inputValue(), '', 'it is typed again')
  await page.locator('#login-password').fill(broker.adminPassword)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('button', { name: /^admin/ }).click()
  t.equal(new URL(page.url()).pathname, '/overview', 'he is where he wanted to be')
  await page.getByRole('menuitem', { name: 'Log out' }).click()
  await page.locator('#login-name').waitFor()
  t.same(faults, [])
})

t.test('nothing from elsewhere, no inline script, nothing secret kept', async (t) => {
  const { page, context } = await openWindow(browser)
  const asked: string[] = []
  page.on('request', (request) => {
    asked.push(request.url())
  })
  const answer = await page.goto(broker.url)
  t.match(
    answer?.headers()['content-security-policy'],
    /default-src 'none'; script-src 'self'; style-src 'self'/,
  )
  await logIn(page, broker.url, 'admin', broker.adminPassword)
  t.same(
    asked.filter((url) => !url.startsWith(broker.url)),
    [],
  )
  t.notOk(asked.some((url) => url.includes(broker.adminPassword)))
  const kept = await page.evaluate(
    'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])',
  )
  t.same(
    JSON.parse(String(kept)),
    [{}, { 'berth-person': 'admin' }, ''],
    "whose window it is, and the cookie is not the page's to read",
  )
  await context.close()
})

t.test('the language of the browser, or the one that is chosen', async (t) => {
  const { page } = await openWindow(browser, { language: 'lt' })
  await page.goto(broker.url)
  await page.locator('#login-name').waitFor()
  t.equal(await page.evaluate('document.documentElement.lang'), 'lt')
})
