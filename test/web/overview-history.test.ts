import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import t from 'tap'
import type { History } from '../../broker/api/history.js'
import { DAY_MS, lastMinute, MINUTE_MS } from '../../broker/history/policy.js'
import { putSample } from '../../broker/history/store.js'
import { openStore } from '../../broker/store/open.js'
import { inTransaction } from '../../broker/store/transaction.js'
import { obstacles } from '../support/accessibility.js'
import { logIn, openWindow, type PageOptions, startBrowser } from '../support/browser.js'
import { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'
import { databaseIn } from '../support/database.js'
import { drawn, rowsOf, sampleAt } from './history-drawn.js'

t.setTimeout(480_000)
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

/** A working week, minute by minute, up to an hour ago; with a night in which the broker did not run. */
async function writeWeek(): Promise<void> {
  const store = await openStore(await databaseIn(join(broker.directory, 'data')))
  const end = lastMinute(Date.now()) - 60 * MINUTE_MS
  await inTransaction(store, async (tx) => {
    for (let at = end - 7 * DAY_MS; at <= end; at += MINUTE_MS) {
      const hoursAgo = (end - at) / 3_600_000
      if (hoursAgo > 6 && hoursAgo < 9) continue
      await putSample(tx, sampleAt(at))
    }
  })
  await store.destroy()
}

async function overview(
  path: string,
  options: PageOptions = {},
): Promise<{ page: Page; faults: string[]; history: Locator }> {
  const { page, faults } = await openWindow(browser, { height: 1_500, ...options })
  await logIn(page, `${broker.url}${path}`, 'admin', broker.adminPassword)
  return {
    page,
    faults,
    history: page.getByRole('region', {
      name: options.language === 'lt' ? 'Istorija' : 'History',
      exact: true,
    }),
  }
}

const BLUE = '--pf-t--global--color--brand--default'

t.test(
  'before the first sample the page says when history begins; the first one comes by push, ' +
    'without a question in between',
  async (t) => {
    await until(() => Date.now() % MINUTE_MS > 1_000 && Date.now() % MINUTE_MS < 45_000, {
      withinMs: MINUTE_MS,
      what: 'there is time to look before the minute is over',
    })
    await broker.run('DELETE FROM history_minute')
    const { page, faults, history } = await overview('/overview')
    await history
      .getByText(/^History begins at \d\d:\d\d; the first point appears within a minute\.$/)
      .waitFor()
    t.equal(await history.locator('canvas').count(), 0)
    t.same(await obstacles(page), [])
    const asked: string[] = []
    page.on('request', (request) => {
      if (request.url().includes('/history?')) asked.push(request.url())
    })
    await until(async () => (await history.locator('canvas').count()) === 3, {
      withinMs: 75_000,
      everyMs: 200,
      what: 'the charts of the first minute',
    })
    t.equal(asked.length, 1, 'it was asked for once, after the push')
    t.equal((await broker.rows('SELECT 1 FROM history_minute')).length, 1)
    await history.getByRole('button', { name: 'Show as a table' }).click()
    await until(
      async () => (await rowsOf(history)).filter((cells) => cells.length > 2).length === 1,
      { withinMs: 5_000, what: 'its line in the table' },
    )
    t.same(faults, [])
  },
)

t.test(
  'charts of a day and a week, in light and dark and on a phone; the choice stands in the address',
  async (t) => {
    await broker.stop()
    await broker.start()
    await writeWeek()
    for (const [name, options] of [
      ['light', {}],
      ['dark', { dark: true }],
      ['phone', { phone: true, language: 'lt' }],
    ] as const) {
      const { page, faults, history } = await overview('/overview?span=week', options)
      const charts = history.getByRole('img')
      await until(async () => (await charts.count()) === 3, {
        withinMs: 15_000,
        what: 'three charts',
      })
      const week = await until(
        async () => {
          const seen = await drawn(charts.first(), BLUE)
          return seen.ofColour > 20 ? seen : null
        },
        {
          withinMs: 10_000,
          what: `${name}: the line of those who are connected, in the page's blue`,
        },
      )
      t.ok(week.any > 1_000)
      for (const chart of await charts.all())
        t.match(
          await chart.getAttribute('aria-label'),
          options.language === 'lt'
            ? /^(Prisijungę|Eilė|Paleidimai).+\d/
            : /^(Connected|Queue|Starts).+\d/,
        )
      t.same(await obstacles(page), [], name)
      await page.reload()
      await until(async () => (await charts.count()) === 3, {
        withinMs: 15_000,
        what: 'three charts again',
      })
      const [day, weekButton] = options.language === 'lt' ? ['Para', 'Savaitė'] : ['Day', 'Week']
      t.equal(
        await history.getByRole('button', { name: weekButton }).getAttribute('aria-pressed'),
        'true',
        'still the week',
      )
      await history.getByRole('button', { name: day }).click()
      await until(async () => new URL(page.url()).search === '', {
        withinMs: 5_000,
        what: 'the day is what an address without a span means',
      })
      await until(async () => (await drawn(charts.first(), BLUE)).ofColour > 20, {
        withinMs: 10_000,
        what: 'the day is drawn',
      })
      t.ok(
        await page.evaluate(
          'document.documentElement.scrollWidth <= document.documentElement.clientWidth',
        ),
        `${name}: nothing stands over the edge`,
      )
      t.equal(
        (await drawn(charts.first(), BLUE, [0.64, 0.69])).ofColour,
        0,
        'no line goes over the hours that nobody saw',
      )
      t.ok(
        (await drawn(charts.first(), BLUE, [0.75, 0.9])).ofColour > 0,
        'beside them there is one',
      )
      t.same(faults, [])
    }
  },
)

t.test('the table has the figures of the API, and a line for what nobody saw', async (t) => {
  const { page, faults, history } = await overview('/overview')
  const button = history.getByRole('button', { name: 'Show as a table' })
  await button.click()
  await history.getByRole('table', { name: /last day/ }).waitFor()
  t.match(page.url(), /history=table$/)
  t.same(await obstacles(page), [])
  const answer = await broker.admin.get<History>('/history?span=day')
  const known = answer.samples.flatMap((count, index) => (count === 0 ? [] : [index])).reverse()
  const rows = await rowsOf(history)
  const lines = rows.filter((cells) => cells.length > 2)
  t.equal(lines.length, known.length)
  for (const [line, index] of known.entries()) {
    const {
      sessionsMean,
      sessionsMost,
      assignedMost,
      waitingMost,
      given,
      starts,
      from,
      stepSeconds,
    } = answer
    const [at, mean, most, assigned, waiting, , givenShown, , , startsShown] = lines[line] ?? []
    const shown = (value: number | null | undefined): string => String(value ?? 'nothing')
    t.same(
      [at, mean, most, assigned, waiting, givenShown, startsShown],
      [
        new Date(Date.parse(from) + index * stepSeconds * 1_000).toISOString().slice(11, 16),
        ...[sessionsMean, sessionsMost, assignedMost, waitingMost, given, starts].map((column) =>
          shown(column[index]),
        ),
      ],
    )
  }
  t.equal(
    rows.filter((cells) => cells[1] === 'Not known: no sample was taken.').length,
    2,
    'the night, and the last hour',
  )
  await page.reload()
  await history.getByRole('button', { name: 'Show as charts' }).click()
  await history.locator('canvas').first().waitFor()
  t.same(faults, [])
})

t.test(
  'the figures under the pointer are shown, and the charts take the width that there is',
  async (t) => {
    const { page, faults, history } = await overview('/overview')
    const plot = history.getByRole('img').first()
    const readout = history.locator('.berth-readout').first()
    await plot.locator('canvas').waitFor()
    const newest = await readout.textContent()
    await plot.hover({ position: { x: 120, y: 60 } })
    await until(async () => (await readout.textContent()) !== newest, {
      withinMs: 5_000,
      what: 'the figures of another time',
    })
    await page.mouse.move(5, 5)
    await until(async () => (await readout.textContent()) === newest, {
      withinMs: 5_000,
      what: 'the newest figures again',
    })
    const widths = async (): Promise<[number, number]> =>
      await plot.evaluate((element) => [
        (element as unknown as { clientWidth: number }).clientWidth,
        (
          element as unknown as { querySelector(what: string): { clientWidth: number } }
        ).querySelector('.uplot').clientWidth,
      ])
    const [before] = await widths()
    await page.setViewportSize({ width: 700, height: 900 })
    await until(
      async () => {
        const [room, taken] = await widths()
        return room !== before && Math.abs(room - taken) <= 1
      },
      { withinMs: 5_000, what: 'it is as wide as its place' },
    )
    t.same(faults, [])
  },
)
