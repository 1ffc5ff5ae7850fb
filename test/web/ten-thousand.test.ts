import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import { logIn, openWindow, startBrowser } from '../support/browser.js'
import { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'

const MACHINES = 10_000
/** The screen shows about 20 rows; the rest are those drawn ahead. */
const MOST_ROWS = 200

let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await SimulatedBroker.start()
  await broker.addHypervisors()
  await fill()
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

/** Rows as the broker would have written them; ten thousand jobs would take longer than the test. */
async function fill(): Promise<void> {
  await broker.run(
    `INSERT INTO machine (id, name, type, hypervisor, memory_mib, vcpus, network, firmware, mac,
      serial, power, power_since, created_at)
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ${MACHINES})
    SELECT printf('00000000-0000-4000-8000-%012d', n), printf('desk-%05d', n), 'simple', 'hv1',
      1024, 1, 'none', 'bios', printf('52:54:00:00:%02x:%02x', n / 256, n % 256),
      printf('%012d', n), 'off', ?, ?
    FROM number`,
    Date.now(),
    Date.now(),
  )
}

const drawn = async (page: Page): Promise<number> => await page.getByRole('row').count()

t.test(
  'a table of ten thousand machines draws what is seen, down to the last, and finds one',
  async (t) => {
    const { page, faults } = await openWindow(browser)
    await logIn(page, `${broker.url}/machines`, 'admin', broker.adminPassword)
    const table = page.getByRole('table')
    const row = (name: string) => page.getByRole('row').filter({ hasText: name })
    await row('desk-00001').waitFor({ timeout: 30_000 })
    t.equal(
      await table.getAttribute('aria-rowcount'),
      String(MACHINES + 1),
      'who does not see it hears how many there are',
    )
    t.ok((await drawn(page)) < MOST_ROWS, `${await drawn(page)} rows at the top`)
    await until(
      async () => {
        await table.press('End')
        return await row(`desk-${MACHINES}`).isVisible()
      },
      { withinMs: 15_000, what: 'the last machine is shown' },
    )
    t.equal(await row('desk-00001').count(), 0, 'the first is drawn no more')
    t.ok((await drawn(page)) < MOST_ROWS, `${await drawn(page)} rows at the end`)
    await page.getByPlaceholder('Search').fill('desk-07777')
    await until(
      async () =>
        (await page.getByRole('row').filter({ hasText: /desk-/ }).count()) === 1 &&
        (await row('desk-07777').isVisible()),
      { withinMs: 15_000, what: 'only the machine that was searched for is left' },
    )
    t.match(page.url(), /search=desk-07777/, 'it can be sent')
    t.same(faults, [])
  },
)
