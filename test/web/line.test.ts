import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import { office, poolOf } from '../broker/pools/office.js'
import { startBrowser } from '../support/browser.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'
import { EventStream } from '../broker/live/event-stream.js'
import { windowOf } from './pages-office.js'

/** The line between a page and the broker: how many there are, that they hang, and what is sent on them. */

let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await office()
  browser = await startBrowser()
  await poolOf(broker, 'lab', 1)
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

const row = (page: Page, text: string) => page.getByRole('row').filter({ hasText: text })
const maintenance = async (on: boolean): Promise<void> => {
  await broker.admin.put('/pools/lab/maintenance', { on, ...(on ? { reason: 'paint' } : {}) })
}

/** As when another window is put before it: a browser without a screen never hides one. */
async function hide(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate(
    "Object.defineProperty(document, 'hidden', { configurable: true, get: () " +
      `=> ${String(hidden)} }); document.dispatchEvent(new Event('visibilitychange'))`,
  )
}

t.test(
  'any number of windows can be open: one that nobody sees gives its connection back, and is ' +
    'true again when it is looked at',
  async (t) => {
    const first = await windowOf(browser, broker, 'admin', { path: '/pools' })
    let streams = 0
    await first.page.context().route(/\/api\/v1\/live/, async (route) => {
      streams += 1
      await route.continue()
    })
    const others: Page[] = []
    for (let number = 1; number <= 8; number += 1) {
      const page = await first.page.context().newPage()
      await page.addInitScript(
        "Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })",
      )
      await page.goto(`${broker.url}/pools`)
      await row(page, 'lab').waitFor()
      others.push(page)
    }
    t.equal(streams, 0, 'those that nobody has seen yet have none')
    await hide(first.page, true)
    const [last] = others.slice(-1)
    if (!last) throw new Error('no window')
    const told = await EventStream.open(broker, broker.token)
    await maintenance(true)
    await until(() => told.topics.includes('pools'), {
      withinMs: 5_000,
      what: 'it was told before the window is looked at',
    })
    told.close()
    await hide(last, false)
    await row(last, 'lab').filter({ hasText: 'maintenance' }).waitFor({ timeout: 5_000 })
    t.equal(streams, 1)
    await maintenance(false)
    await row(last, 'lab').filter({ hasNotText: 'maintenance' }).waitFor({ timeout: 5_000 })
    await first.close()
  },
)

t.test(
  'what changes between the first look and the first word of the stream is shown',
  async (t) => {
    const { page, close } = await windowOf(browser, broker, 'admin', { path: '/' })
    let begin = (): void => {}
    const held = new Promise<void>((resolve) => {
      begin = resolve
    })
    await page.route(/\/api\/v1\/live/, async (route) => {
      await held
      await route.continue()
    })
    await page.goto(`${broker.url}/pools`)
    await row(page, 'lab').waitFor()
    const told = await EventStream.open(broker, broker.token)
    await maintenance(true)
    await until(() => told.topics.includes('pools'), { withinMs: 5_000, what: 'it was told' })
    told.close()
    t.equal(await row(page, 'lab').filter({ hasText: 'maintenance' }).count(), 0)
    begin()
    await row(page, 'lab').filter({ hasText: 'maintenance' }).waitFor({ timeout: 5_000 })
    await maintenance(false)
    await row(page, 'lab').filter({ hasNotText: 'maintenance' }).waitFor({ timeout: 5_000 })
    await close()
  },
)

t.test(
  'one that was hidden goes on where it was: only what changed meanwhile is asked for',
  async (t) => {
    const { page, close } = await windowOf(browser, broker, 'admin', { path: '/pools' })
    await row(page, 'lab').waitFor()
    const asked: string[] = []
    page.on('request', (request) => {
      asked.push(
        new URL(request.url()).pathname.replace('/api/v1', '') +
          new URL(request.url()).search.replace(/=.*/, '='),
      )
    })
    await maintenance(true)
    await row(page, 'lab').filter({ hasText: 'maintenance' }).waitFor({ timeout: 5_000 })
    let gone = false
    page.on('requestfailed', (request) => {
      if (request.url().includes('/live')) gone = true
    })
    page.on('requestfinished', (request) => {
      if (request.url().includes('/live')) gone = true
    })
    await hide(page, true)
    await until(() => gone, { withinMs: 10_000, what: 'the stream is given back' })
    asked.length = 0
    await maintenance(false)
    await hide(page, false)
    await row(page, 'lab').filter({ hasNotText: 'maintenance' }).waitFor({ timeout: 5_000 })
    t.same(
      asked.filter((path) => path.startsWith('/live')),
      ['/live?after='],
    )
    t.notOk(asked.includes('/hypervisors'), 'nothing of those has changed')
    await close()
  },
)

t.test('a double click is one order', async (t) => {
  const { page, faults, close } = await windowOf(browser, broker, 'admin', { path: '/pools/lab' })
  let orders = 0
  await page.route(/\/api\/v1\/pools\/lab\/maintenance$/, async (route) => {
    orders += 1
    await route.continue()
  })
  await page.getByRole('button', { name: /^Actions: Actions for lab$/ }).click()
  await page.getByRole('menuitem', { name: /aintenance/ }).click()
  const button = page.getByRole('dialog').getByRole('button', { name: /aintenance/ })
  await button.dblclick()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  t.equal(orders, 1)
  t.same(faults, [])
  await maintenance(false)
  await close()
})
