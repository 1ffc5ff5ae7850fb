import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import { CHECKS } from '../../broker/api/checks.js'
import { Authority } from '../../broker/certificates/authority.js'
import { obstacles } from '../support/accessibility.js'
import { type PageOptions, startBrowser } from '../support/browser.js'
import { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'
import { windowOf } from './pages-office.js'

let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await SimulatedBroker.start({ hosts: 2 })
  await broker.addHypervisors()
  const { certificate } = await (
    await Authority.open(join(broker.directory, 'data'))
  ).issueServer(['10.0.0.1', '10.0.0.2'])
  for (const host of broker.hosts.values()) host.certificate = { certificate, ca: broker.ca }
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

const atPage = async (path: string, options: PageOptions = {}) =>
  await windowOf(browser, broker, 'admin', { path, ...options })
const lines = (page: Page) => page.locator('.berth-check')

t.test(
  'a click checks a host: the checks appear one by one, the address can be sent, and it can be done again',
  async (t) => {
    broker.host('hv1').latencyMs = 60
    const { page, faults, close } = await atPage('/hypervisors/hv1')
    await page.getByRole('button', { name: 'Check', exact: true }).click()
    await page.waitForURL(/\/hypervisors\/hv1\/check\/[0-9a-f]+$/)
    await page.getByText('Checking…').waitFor()
    t.equal(
      await lines(page).count(),
      CHECKS.length,
      'what is still to be looked at stands there too',
    )
    t.ok(
      (await lines(page).filter({ hasText: 'Waiting' }).count()) > 0,
      'some are still to be made while others are done',
    )
    await page.getByText('No problems found.').waitFor({ timeout: 20_000 })
    broker.host('hv1').latencyMs = 0
    t.equal(await lines(page).filter({ hasText: /OK/ }).count(), CHECKS.length)
    const first = page.url()
    broker.host('hv1').looks = {
      sshd: { settings: { maxsessions: '2', maxstartups: '10:30:100', allowtcpforwarding: 'no' } },
    }
    await page.getByRole('button', { name: 'Check again' }).click()
    await lines(page)
      .filter({ hasText: 'Failed' })
      .filter({ hasText: 'AllowTcpForwarding yes' })
      .waitFor()
    t.not(page.url(), first)
    await page.getByText('19 OK, 0 with a warning, 1 failed, 0 skipped').waitFor()
    await page.goto(first)
    await page.getByText('No problems found.').waitFor()
    await page.goto(`${broker.url}/hypervisors/hv1`)
    await page.getByRole('link', { name: 'Failed' }).click()
    await lines(page).filter({ hasText: 'MaxSessions 2' }).waitFor()
    t.same(await obstacles(page), [])
    t.same(faults, [])
    broker.host('hv1').looks = {}
    await close()
  },
)

t.test('in Lithuanian, dark, of a host that is away', async (t) => {
  broker.host('hv2').link?.setUp(false)
  const { page, faults, close } = await atPage('/hypervisors/hv2/check', {
    language: 'lt',
    dark: true,
  })
  await page.getByText('hv2 dar netikrintas.').waitFor()
  await page.getByRole('button', { name: 'Tikrinti' }).click()
  await lines(page).filter({ hasText: 'užkarda' }).waitFor()
  await until(
    async () =>
      (await lines(page).filter({ hasText: 'brokeris neprisijungė' }).count()) ===
      CHECKS.length - 2,
    { withinMs: 10_000, what: 'every check that needs the connection says that there is none' },
  )
  t.same(await obstacles(page), [])
  t.same(faults, [])
  await close()
  broker.host('hv2').link?.setUp(true)
})
