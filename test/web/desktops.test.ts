import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import type { Desktop } from '../../broker/api/assignments.js'
import type { PoolDetail } from '../../broker/api/pools.js'
import { obstacles } from '../support/accessibility.js'
import { startBrowser } from '../support/browser.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'
import { type PagesOffice, pagesOffice, person, windowOf } from './pages-office.js'

t.setTimeout(480_000)

let it: PagesOffice
let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  it = await pagesOffice(2)
  broker = it.broker
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await it.stop()
})

const card = (page: Page) => page.getByRole('article', { name: 'desks' })
async function heldBy(name: string): Promise<Desktop | undefined> {
  return (await broker.admin.get<{ desktops: Desktop[] }>('/desktops')).desktops.find(
    ({ holder }) => holder === name,
  )
}
/** Those who have a desktop give it back. */
async function untilFree(): Promise<void> {
  for (const { machine } of (await broker.admin.get<{ desktops: Desktop[] }>('/desktops')).desktops)
    await broker.admin.post(`/machines/${machine}/release`, { force: true })
  await until(
    async () => (await broker.admin.get<PoolDetail>('/pools/desks')).pool.counts['free'] === 2,
    { withinMs: 30_000, what: 'all are free' },
  )
}
async function deed(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'Actions for desks' }).click()
  await page.getByRole('menuitem', { name }).click()
}

t.test(
  'one button gets a desktop and opens it; the way is remembered; it is given back after a question',
  async (t) => {
    await person(broker, 'alice')
    const { page, faults, close } = await windowOf(browser, broker, 'alice')
    await card(page).getByText('Free: 2').waitFor()
    t.same(await obstacles(page), [])
    await card(page).getByRole('button', { name: 'Get a desktop' }).click()
    await page.waitForURL(/\/machines\/desks-\d\/console$/, { timeout: 30_000 })
    const machine = (await heldBy('alice'))?.machine ?? ''
    await page.getByRole('heading', { name: machine }).waitFor()
    await page.getByRole('link', { name: 'Back to my desktops' }).click()
    await card(page).getByText(machine).waitFor()
    await card(page).getByText('Ready').waitFor()
    t.match(
      await card(page).getByRole('timer').textContent(),
      /^(59|1:00):\d\d/,
      'an hour, as the policy says',
    )
    t.same(await obstacles(page), [])
    t.equal(await page.getByRole('article').count(), 1, 'the pool, and nothing else')

    await card(page).getByRole('button', { name: 'Other ways to open desks' }).click()
    const file = page.waitForEvent('download')
    await page.getByRole('menuitem', { name: /With the native viewer/ }).click()
    t.equal((await file).suggestedFilename(), `${machine}.vv`)
    await page.reload()
    await card(page)
      .getByRole('button', { name: /^Open desks: With the native viewer/ })
      .waitFor()

    await deed(page, 'Release')
    const dialogue = page.getByRole('dialog')
    await dialogue.getByText(`${machine} is returned to the pool`).waitFor()
    t.same(await obstacles(page), [])
    await page.keyboard.press('Escape')
    t.equal((await heldBy('alice'))?.machine, machine, 'nothing is done before he says so')
    await deed(page, 'Release')
    await dialogue.getByRole('button', { name: 'Release' }).click()
    await card(page).getByRole('button', { name: 'Get a desktop' }).waitFor()
    t.equal(await heldBy('alice'), undefined)
    t.same(faults, [])
    await close()
  },
)

t.test('what is not permitted is not shown, and the keyboard alone is enough', async (t) => {
  await person(broker, 'bare', ['start', 'accessConsole'])
  const { page, close } = await windowOf(browser, broker, 'bare')
  await card(page).getByRole('button', { name: 'Get a desktop' }).focus()
  await page.keyboard.press('Enter')
  await page.waitForURL(/console$/, { timeout: 30_000 })
  await page.getByRole('link', { name: 'Back to my desktops' }).focus()
  await page.keyboard.press('Enter')
  const menu = page.getByRole('button', { name: 'Actions for desks' })
  await menu.focus()
  await page.keyboard.press('Enter')
  t.same(
    await page.getByRole('menuitem').allTextContents(),
    ['Start'],
    'and that cannot be done now',
  )
  await page.keyboard.press('Escape')
  await until(
    async () =>
      (await page.evaluate('document.activeElement?.getAttribute("aria-label")')) ===
      'Actions for desks',
    { withinMs: 5_000, everyMs: 50, what: 'the focus is back' },
  )
  await broker.admin.post(`/machines/${(await heldBy('bare'))?.machine ?? ''}/release`, {
    force: true,
  })
  await card(page).getByText(/^Free/).waitFor()
  await person(broker, 'nobody', [])
  const poor = await windowOf(browser, broker, 'nobody')
  await poor.page.getByText('You have no desktops').waitFor()
  await poor.close()
  await close()
})

t.test(
  'a full pool gives a place in the queue, which outlives a reload, can be given up, and is served',
  async (t) => {
    for (const name of ['bob', 'carol', 'dan']) await person(broker, name)
    await untilFree()
    for (const user of ['bob', 'carol'])
      await broker.admin.post('/pools/desks/assign', { user, waitMs: 20_000 })
    const { page, close } = await windowOf(browser, broker, 'dan')
    await card(page).getByText('All in use').waitFor()
    await card(page).getByRole('button', { name: 'Get a desktop' }).click()
    await card(page).getByText('Your place in the queue: 1').waitFor()
    t.same(await obstacles(page), [])
    await page.reload()
    await card(page).getByText('Your place in the queue: 1').waitFor()
    await card(page).getByRole('button', { name: 'Leave the queue' }).click()
    await card(page).getByRole('button', { name: 'Get a desktop' }).waitFor()
    await until(async () => (await broker.rows('SELECT 1 FROM waiter')).length === 0, {
      withinMs: 5_000,
      everyMs: 20,
      what: 'the place is given up',
    })
    await card(page).getByRole('button', { name: 'Get a desktop' }).click()
    await card(page).getByText('Your place in the queue: 1').waitFor()
    let refused = 0
    await page.route(/\/pools\/desks\/claim$/, async (route) => {
      refused += 1
      await route.abort()
    })
    await page.reload()
    await until(() => refused >= 2, {
      withinMs: 10_000,
      what: 'the line broke, and he is asked for again',
    })
    await page.unroute(/\/pools\/desks\/claim$/)
    await card(page).getByText('Your place in the queue: 1').waitFor()
    await broker.admin.post(`/machines/${(await heldBy('bob'))?.machine ?? ''}/release`, {
      force: true,
    })
    await page.waitForURL(/\/machines\/desks-\d\/console$/, { timeout: 30_000 })
    t.ok(await heldBy('dan'))
    await close()
    await untilFree()
  },
)

t.test('before a desktop is taken he is warned, and extends it; Lithuanian; a phone', async (t) => {
  await person(broker, 'eve')
  await broker.admin.post('/pools/desks/assign', { user: 'eve', waitMs: 30_000 })
  const { page, faults, close } = await windowOf(browser, broker, 'eve', {
    language: 'lt',
    phone: true,
  })
  await card(page).getByText('Paruoštas').waitFor()
  await broker.run(
    "UPDATE assignment SET idle_since = idle_since - 3300000 WHERE holder = 'user:eve'",
  )
  await broker.admin.put('/pools/desks/maintenance', { on: true, reason: 'New image' })
  await broker.admin.put('/pools/desks/maintenance', { on: false })
  await card(page).getByText('Jūsų laikas su šiuo darbalaukiu baigiasi').waitFor()
  t.same(await obstacles(page), [])
  t.ok(
    await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
    "nothing stands outside of a phone's screen",
  )
  await card(page).getByRole('button', { name: 'Pratęsti' }).click()
  await card(page)
    .getByText('Jūsų laikas su šiuo darbalaukiu baigiasi')
    .waitFor({ state: 'detached' })
  t.equal(
    (await broker.rows("SELECT 1 FROM event WHERE action = 'desktop.extend' AND actor = 'eve'"))
      .length,
    1,
  )
  t.same(faults, [])
  await close()
})

t.test(
  'a person on a host that is being emptied is told so on their card and on their screen, with the reason',
  async (t) => {
    await person(broker, 'gus')
    await untilFree()
    await broker.admin.post('/pools/desks/assign', { user: 'gus', waitMs: 30_000 })
    const { page, faults, close } = await windowOf(browser, broker, 'gus')
    await card(page).getByText('Ready').waitFor()
    await broker.admin.post('/hypervisors/hv1/drain', {
      deadline: 'PT10M',
      message: 'New memory is put in.',
    })
    await card(page).getByText('Its host is being drained').waitFor()
    await card(page).getByText('New memory is put in.').waitFor()
    t.equal(
      await card(page).getByRole('button', { name: 'Extend' }).count(),
      0,
      'that would not help',
    )
    await page.goto(`${broker.url}/machines/${(await heldBy('gus'))?.machine ?? ''}/console`)
    await page.getByRole('status').getByText('Its host is being drained').waitFor()
    await page.getByRole('status').getByText('New memory is put in.').waitFor()
    t.same(await obstacles(page), [])
    await broker.admin.put('/hypervisors/hv1/maintenance', { on: false })
    await page.getByText('New memory is put in.').waitFor({ state: 'detached' })
    t.same(faults, [])
    await close()
    await broker.admin.post(`/machines/${(await heldBy('gus'))?.machine ?? ''}/release`, {
      force: true,
    })
  },
)

t.test(
  'a refusal is said in the words of the broker, and an administrator sees first what is his',
  async (t) => {
    await broker.admin.put('/pools/desks/maintenance', { on: true, reason: 'New image' })
    await person(broker, 'fay')
    const fay = await windowOf(browser, broker, 'fay')
    await card(fay.page).getByText('In maintenance').waitFor()
    await card(fay.page).getByText('New image').waitFor()
    t.equal(await card(fay.page).getByRole('button', { name: 'Get a desktop' }).count(), 0)
    await broker.admin.put('/pools/desks/maintenance', { on: false })
    await card(fay.page).getByRole('button', { name: 'Get a desktop' }).waitFor()
    await broker.run("UPDATE pool SET policy = json_set(policy, '$.maxPerUser', 0)")
    await card(fay.page).getByRole('button', { name: 'Get a desktop' }).click()
    await card(fay.page)
      .getByText(/fay has 0 desktops, as many as desks allows/)
      .waitFor()
    t.same(await obstacles(fay.page), [])
    await fay.close()
    await broker.admin.post('/users', {
      name: 'boss',
      password: 'correct horse battery',
      roles: ['admin'],
    })
    const boss = await windowOf(browser, broker, 'boss')
    await boss.page.getByRole('button', { name: /Show all that I may use/ }).click()
    await card(boss.page).waitFor()
    t.equal(new URL(boss.page.url()).search, '?all=1')
    await boss.page.reload()
    await card(boss.page).waitFor()
    await boss.close()
  },
)
