import type { Browser } from 'playwright-core'
import t from 'tap'
import { obstacles } from '../support/accessibility.js'
import { logIn, openWindow, startBrowser } from '../support/browser.js'
import { office, poolOf } from '../broker/pools/office.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'

let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await office()
  await poolOf(broker, 'desks', 2)
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

t.test(
  'the site at a glance: what goes wrong comes first, by push, and leaves when it is mended',
  async (t) => {
    const { page, faults } = await openWindow(browser)
    await logIn(page, `${broker.url}/overview`, 'admin', broker.adminPassword)
    const attention = page.getByRole('region', { name: 'Needs attention' })
    await attention.getByText('Nothing needs attention.').waitFor()
    await page.getByRole('region', { name: 'Pools' }).getByText('free: 2').waitFor()
    await page
      .getByRole('region', { name: 'Hypervisors' })
      .getByRole('meter', { name: 'Memory used on hv2' })
      .waitFor()
    t.same(await obstacles(page), [])
    broker.host('hv2').link?.setUp(false)
    await attention.getByRole('link', { name: 'hv2' }).waitFor()
    await attention.getByText('The line was cut.').waitFor()
    t.same(await obstacles(page), [])
    broker.host('hv2').link?.setUp(true)
    await attention.getByText('Nothing needs attention.').waitFor()
    t.same(faults, [])
  },
)

t.test('what cannot be asked for is said, and hides nothing of the rest', async (t) => {
  const { page } = await openWindow(browser)
  await page.route(/\/api\/v1\/thin-clients$/, async (route) => {
    await route.fulfill({
      status: 503,
      contentType: 'application/json',
      body: '{"code":"internal","message":"No answer."}',
    })
  })
  broker.host('hv2').link?.setUp(false)
  await logIn(page, `${broker.url}/overview`, 'admin', broker.adminPassword)
  const attention = page.getByRole('region', { name: 'Needs attention' })
  await attention
    .getByRole('alert')
    .getByText(/Not everything could be looked at/)
    .waitFor({ timeout: 15_000 })
  await attention.getByRole('link', { name: 'hv2' }).waitFor()
  t.same(await obstacles(page), [])
  broker.host('hv2').link?.setUp(true)
  await attention.getByRole('link', { name: 'hv2' }).waitFor({ state: 'detached' })
  t.equal(await attention.getByText('Nothing needs attention.').count(), 0, 'that is not known')
})
