import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import type { ClaimAnswer } from '../../broker/api/assignments.js'
import { desktopOf, office, poolOf } from '../broker/pools/office.js'
import { obstacles } from '../support/accessibility.js'
import { type PageOptions, startBrowser } from '../support/browser.js'
import { addPerson, allow } from '../support/people.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'
import { windowOf } from './pages-office.js'

let broker: SimulatedBroker
let browser: Browser
let host = ''
let mine = ''
t.before(async () => {
  broker = await office()
  browser = await startBrowser()
  const ann = await addPerson(broker, 'ann')
  await poolOf(broker, 'lab', 4)
  await allow(broker, 'ann', ['start', 'accessConsole'], 'lab', 'pool')
  mine = (await ann.post<ClaimAnswer>('/pools/lab/claim', { waitMs: 5_000 })).desktop?.machine ?? ''
  host =
    (
      await broker.rows<{ hypervisor: string }>(
        'SELECT hypervisor FROM machine WHERE name = ?',
        mine,
      )
    )[0]?.hypervisor ?? ''
  broker.host(host).seat(mine, ['10.9.9.9'])
  await until(async () => (await desktopOf(broker, mine)).phase === 'connected', {
    withinMs: 5_000,
    what: 'ann is connected',
  })
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

const atPage = async (path: string, options: PageOptions = {}) =>
  await windowOf(browser, broker, 'admin', { path, ...options })
const row = (page: Page, text: string) => page.getByRole('row').filter({ hasText: text })

t.test(
  'a host is being emptied by clicks: it says who is affected, how far it is, and when it may be switched off',
  async (t) => {
    const { page, faults, close } = await atPage(`/hypervisors/${host}`)
    await page
      .getByRole('button', { name: /Actions/ })
      .first()
      .click()
    await page.getByRole('menuitem', { name: 'Drain' }).click()
    await page.waitForURL(/\/drain$/)
    await row(page, mine)
      .filter({ hasText: 'ann' })
      .filter({ hasText: 'Until its holder leaves' })
      .waitFor()
    t.same(await obstacles(page), [])
    await page.getByLabel('Message to those who are there').fill('Please leave.')
    await page.getByRole('button', { name: `Drain ${host}` }).click()
    const dialogue = page.getByRole('dialog')
    await dialogue.getByText(`These stay until they leave: ann (${mine})`).waitFor()
    await dialogue.getByText(/^Deleted there and rebuilt elsewhere/).waitFor()
    t.equal(
      (await broker.rows('SELECT 1 FROM drain')).length,
      0,
      'nothing is done before it is confirmed',
    )
    await dialogue.getByRole('button', { name: `Drain ${host}` }).click()
    await page.getByText(/^1 of \d left$/).waitFor({ timeout: 20_000 })
    await page.getByText('Message: Please leave.').waitFor()
    t.same(await obstacles(page), [])
    await page.reload()
    await page.getByText(/^1 of \d left$/).waitFor()
    broker.host(host).seat(mine, [])
    await broker.admin.post(`/machines/${mine}/release`, { force: true })
    await page.getByText('Drained: safe to power off').waitFor({ timeout: 20_000 })
    await page.goto(`${broker.url}/hypervisors`)
    await row(page, host).filter({ hasText: 'Empty' }).waitFor()
    await page.goto(`${broker.url}/hypervisors/${host}/drain`)
    await page.getByRole('button', { name: 'End the maintenance' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'End the maintenance' }).click()
    await page.getByRole('button', { name: `Drain ${host}` }).waitFor()
    t.equal((await broker.rows('SELECT 1 FROM drain')).length, 0)
    t.same(faults, [])
    await close()
  },
)

t.test('in Lithuanian, dark', async (t) => {
  const { page, faults, close } = await atPage(`/hypervisors/${host}/drain`, {
    language: 'lt',
    dark: true,
  })
  await page.getByRole('button', { name: `Ištuštinti ${host}` }).waitFor()
  t.same(await obstacles(page), [])
  t.same(faults, [])
  await close()
})
