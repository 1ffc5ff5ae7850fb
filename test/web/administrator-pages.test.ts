import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import { office, poolOf, show } from '../broker/pools/office.js'
import { obstacles } from '../support/accessibility.js'
import { loaded, logIn, openWindow, type PageOptions, startBrowser } from '../support/browser.js'
import { addPerson, allow } from '../support/people.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'
import { windowOf } from './pages-office.js'

let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await office()
  browser = await startBrowser()
  await addPerson(broker, 'ann')
  await poolOf(broker, 'lab', 2)
  await allow(broker, 'ann', ['start', 'accessConsole'], 'lab', 'pool')
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

const atPage = async (path: string, options: PageOptions = {}) =>
  await windowOf(browser, broker, 'admin', { path, ...options })
const row = (page: Page, text: string | RegExp) => page.getByRole('row').filter({ hasText: text })
const dialogue = (page: Page) => page.getByRole('dialog')

t.test('a pool: created, given to somebody, its policy changed, deleted', async (t) => {
  const { page, faults, close } = await atPage('/pools')
  await row(page, 'lab').waitFor()
  await page.getByRole('button', { name: 'Create a pool' }).click()
  await dialogue(page).getByLabel('Name').fill('desks')
  await dialogue(page).getByLabel('Made from').selectOption('golden-desktop')
  await dialogue(page).getByLabel('Desktops to provision').fill('1')
  await dialogue(page).getByRole('button', { name: 'Create a pool' }).click()
  await page.waitForURL(/\/pools\/desks$/)
  await row(page, 'desks-1').filter({ hasText: 'free' }).waitFor({ timeout: 15_000 }) // built, and told by push
  await page.getByRole('button', { name: /^Actions: Actions for desks$/ }).click()
  await page.getByRole('menuitem', { name: 'Assign a desktop' }).click()
  await dialogue(page).getByLabel('Name of the person').fill('ann')
  await dialogue(page).getByRole('button', { name: 'Assign a desktop' }).click()
  await row(page, 'desks-1').filter({ hasText: 'ann' }).waitFor({ timeout: 15_000 })
  await page.getByRole('button', { name: 'Change the policy' }).click()
  await dialogue(page).getByLabel('Keep after disconnect').fill('four hours')
  await dialogue(page).getByRole('button', { name: 'Save' }).click()
  await dialogue(page)
    .getByText(/^Keep after disconnect: use this form/)
    .waitFor()
  await dialogue(page).getByLabel('Keep after disconnect').fill('PT4H')
  await dialogue(page).getByRole('button', { name: 'Save' }).click()
  await dialogue(page).waitFor({ state: 'detached' })
  t.match((await show(broker, 'desks')).pool.policy, { retention: 'PT4H' })
  await page.getByRole('button', { name: /^Actions: Actions for desks$/ }).click()
  await page.getByRole('menuitem', { name: 'Delete the pool' }).click()
  await dialogue(page).getByText('ann (desks-1)').waitFor()
  t.ok(
    await dialogue(page).getByRole('button', { name: 'Delete the pool' }).isDisabled(),
    'its name must be typed',
  )
  await dialogue(page).getByRole('textbox').fill('desks')
  await dialogue(page).getByRole('button', { name: 'Delete the pool' }).click()
  await page.waitForURL(/\/pools$/)
  await until(
    async () =>
      !(await broker.admin.get<{ pools: Array<{ name: string }> }>('/pools')).pools.some(
        ({ name }) => name === 'desks',
      ),
    { withinMs: 15_000, what: 'the pool is gone' },
  )
  await row(page, 'desks').waitFor({ state: 'detached' })
  t.same(faults, [])
  await close()
})

t.test(
  'a pool is made with all that the command line takes: hardware, network, numbers, and where',
  async (t) => {
    const { page, faults, close } = await atPage('/pools')
    await page.getByRole('button', { name: 'Create a pool' }).click()
    await dialogue(page).getByLabel('Name').fill('big')
    await dialogue(page).getByLabel('Made from').selectOption('golden-desktop')
    for (const [label, value] of [
      ['Desktops to provision', '2'],
      ['Memory of each, MiB', '512'],
      ['CPUs of each', '2'],
      ['At least', '1'],
      ['At most', '3'],
      ['Warm spares', '1'],
      ['Network', 'none'],
    ] as const)
      await dialogue(page).getByLabel(label).fill(value)
    await dialogue(page).getByRole('checkbox', { name: 'hv2' }).check()
    t.same(await obstacles(page), [])
    await dialogue(page).getByRole('button', { name: 'Create a pool' }).click()
    await page.waitForURL(/\/pools\/big$/)
    const { pool } = await show(broker, 'big')
    t.match(pool, { size: 2, policy: { min: 1, max: 3, spares: 1, retention: 'PT1H' } })
    await row(page, 'big-2').filter({ hasText: 'free' }).waitFor({ timeout: 15_000 })
    t.match(await broker.admin.get('/machines/big-1'), {
      memoryMib: 512,
      vcpus: 2,
      network: 'none',
      hypervisor: 'hv2',
    })
    t.same(faults, [])
    await close()
  },
)

t.test('a person: created, explained, given a role, disabled', async (t) => {
  const { page, faults, close } = await atPage('/people')
  await page.getByRole('button', { name: 'Create an account' }).click()
  await dialogue(page)
    .getByLabel(/^Name\s*\*?$/)
    .fill('bob')
  await dialogue(page).getByLabel('Password').fill('short')
  await dialogue(page).getByRole('button', { name: 'Create an account' }).click()
  await dialogue(page).getByText('Request failed').waitFor()
  t.equal(
    await dialogue(page)
      .getByLabel(/^Name\s*\*?$/)
      .inputValue(),
    'bob',
    'nothing is lost',
  )
  await dialogue(page).getByLabel('Password').fill('correct horse battery')
  await dialogue(page).getByRole('button', { name: 'Create an account' }).click()
  await page.waitForURL(/\/people\/bob$/)
  await page.goto(`${broker.url}/grants`)
  await page.getByRole('button', { name: 'Grant access' }).click()
  await dialogue(page)
    .getByLabel(/^On\s*\*?$/)
    .fill('lab')
  await dialogue(page).getByLabel('Who').fill('bob')
  await dialogue(page).getByRole('button', { name: 'Save' }).click()
  await row(page, 'bob').filter({ hasText: 'open the screen' }).waitFor()
  await page.goto(`${broker.url}/people/bob`)
  await page.getByText('Only the following:').waitFor()
  await row(page, 'pool lab').filter({ hasText: 'get and start' }).waitFor()
  await page.getByRole('button', { name: 'Actions for bob' }).click()
  await page.getByRole('menuitem', { name: 'Disable' }).click()
  await dialogue(page).getByRole('button', { name: 'Disable' }).click()
  await page.getByText('disabled').waitFor()
  t.match(await broker.admin.get('/users/bob'), { disabled: true })
  t.same(faults, [])
  await close()
})

t.test('the audit log is searched by the broker, exported and checked', async (t) => {
  const { page, faults, close } = await atPage('/audit?action=pool.*')
  await row(page, 'pool.create').first().waitFor()
  t.equal(await row(page, 'login').count(), 0)
  await page.getByLabel('Who').fill('nobody-at-all')
  await page.getByRole('button', { name: 'Search' }).last().click()
  await page.getByText('No matching events').waitFor()
  t.match(page.url(), /actor=nobody-at-all/, 'it can be sent')
  await page.getByRole('button', { name: 'Verify integrity' }).click()
  await page.getByText(/events verified/).waitFor()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Export' }).click(),
  ])
  t.ok(download.suggestedFilename())
  t.same(faults, [])
  await close()
})

t.test(
  'a person sees no page of the administrators, and an observer nothing that changes it',
  async (t) => {
    await addPerson(broker, 'watcher', { roles: ['observer'] })
    for (const name of ['ann', 'watcher'])
      await broker.admin.post(`/users/${name}/password`, { newPassword: 'correct horse battery' })
    const ann = await openWindow(browser)
    await logIn(ann.page, `${broker.url}/pools`, 'ann', 'correct horse battery')
    await ann.page.getByText('Page not found').waitFor()
    t.equal(await ann.page.getByRole('link', { name: 'Pools' }).count(), 0)
    const watcher = await openWindow(browser)
    await logIn(watcher.page, `${broker.url}/pools/lab`, 'watcher', 'correct horse battery')
    await row(watcher.page, 'lab-1').waitFor()
    t.equal(
      await watcher.page.getByRole('button', { name: /Change the policy|Actions/ }).count(),
      0,
    )
  },
)

t.test('a page whose broker goes away says so, and recovers by itself', async (t) => {
  const { page, close } = await atPage('/pools')
  await row(page, 'lab').waitFor()
  const { port } = broker.broker
  await broker.stop()
  await page.getByText(/connection to the broker is lost/).waitFor({ timeout: 15_000 })
  t.equal(await row(page, 'lab').count(), 1, 'what was there stays')
  await broker.start({ listenPort: port })
  await page
    .getByText(/connection to the broker is lost/)
    .waitFor({ state: 'detached', timeout: 15_000 })
  await broker.admin.put('/pools/lab/maintenance', { on: true, reason: 'paint' })
  await row(page, 'lab').filter({ hasText: 'maintenance' }).waitFor({ timeout: 5_000 })
  await broker.admin.put('/pools/lab/maintenance', { on: false })
  await close()
})

t.test(
  'an answer of something before the broker ends no page: it is looked at again, and what was missed is shown',
  async (t) => {
    const { page, close } = await atPage('/pools')
    await row(page, 'lab').waitFor()
    let refused = 0
    await page.route(/\/api\/v1\/(live(\?.*)?|session)$/, async (route) => {
      refused += 1
      await route.fulfill({ status: 503, contentType: 'text/html', body: 'gone for a moment' })
    })
    const { port } = broker.broker
    await broker.stop() // the stream that stands is cut
    await broker.start({ listenPort: port })
    await page.getByText(/connection to the broker is lost/).waitFor({ timeout: 15_000 })
    await until(() => refused >= 2, {
      withinMs: 10_000,
      what: 'the stream and the login were asked for',
    })
    await broker.admin.put('/pools/lab/maintenance', { on: true, reason: 'paint' })
    t.equal(await row(page, 'lab').count(), 1, 'the page stays')
    await page.unroute(/\/api\/v1\/(live(\?.*)?|session)$/)
    await row(page, 'lab').filter({ hasText: 'maintenance' }).waitFor({ timeout: 15_000 })
    await page
      .getByText(/connection to the broker is lost/)
      .waitFor({ state: 'detached', timeout: 15_000 })
    await broker.admin.put('/pools/lab/maintenance', { on: false })
    await row(page, 'lab').filter({ hasNotText: 'maintenance' }).waitFor({ timeout: 5_000 })
    await close()
  },
)

t.test(
  'a part that cannot be fetched, as after a renewal of the broker, is told with what to do; the menu stays',
  async (t) => {
    const { page, close } = await atPage('/')
    await page.route(/\/assets\/administrator-pages/, async (route) => {
      await route.abort()
    })
    await page.goto(`${broker.url}/pools`)
    await page.getByText('A part of this page is missing').waitFor()
    t.ok(await page.getByRole('link', { name: 'Hypervisors' }).isVisible())
    await page.unroute(/\/assets\/administrator-pages/)
    await page.getByRole('button', { name: 'Reload the page' }).click()
    await row(page, 'lab').waitFor()
    t.match(page.url(), /\/pools$/)
    await close()
  },
)

t.test('everybody can use them: axe finds nothing serious, light and dark', async (t) => {
  const { jobs } = await broker.admin.get<{ jobs: Array<{ id: string }> }>('/jobs')
  for (const dark of [false, true]) {
    const { page, faults, close } = await atPage('/pools', { dark })
    for (const path of [
      '/pools',
      '/pools/lab',
      '/people',
      '/people/ann',
      '/grants',
      '/directories',
      '/jobs',
      `/jobs/${jobs[0]?.id ?? ''}`,
      '/audit',
      '/api-docs',
    ]) {
      await page.goto(`${broker.url}${path}`)
      await page.getByRole('heading', { level: 1 }).waitFor()
      await loaded(page)
      t.same(await obstacles(page), [], `${path} ${dark ? 'dark' : 'light'}`)
    }
    t.same(faults, [])
    await close()
  }
})
