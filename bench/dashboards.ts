import { setTimeout as delay } from 'node:timers/promises'
import { ApiClient } from '../test/support/api-client.js'
import { until } from '../test/support/until.js'
import { DashboardPage } from './dashboard-page.js'
import { createMachines } from './fleet-with-broker.js'
import type { BenchOptions, Places } from './places.js'
import { processorMs } from './processes.js'
import { type Comparison, milliseconds, quantile, type Report } from './report.js'
import {
  addSimulatedHypervisors,
  inTurn,
  type SimulatedBroker,
  startSimulatedBroker,
} from './simulated-place.js'

const MOST_SHARE = 0.5
const CHANGE_EVERY_MS = 1_000
/** Until the pages are in their way. */
const SETTLE_MS = 3_000
/** After the last change, for what is still on its way: longer than the polling pages sleep. */
const ARRIVE_MS = 8_000

/**
 * What one way of keeping pages true cost while it was measured. `ages`: milliseconds from each
 * change to each page's first whole answer that was asked for after it.
 */
interface Cost {
  readonly share: number
  readonly bytesASecond: number
  readonly questionsASecond: number
  readonly givenUp: number
  readonly faults: number
  readonly ages: readonly number[]
}
type Way = 'push' | 'poll'

/**
 * Open dashboards: what they cost the broker while nothing changes and while machines change, kept
 * true by push and, in the same run, by polling.
 */
export async function measureDashboards(
  places: Places,
  { small, log }: BenchOptions,
): Promise<Report> {
  await places.close()
  const [pages, hosts, machines, forMs] = small ? [10, 2, 50, 3_000] : [100, 10, 1_000, 30_000]
  const broker = await startSimulatedBroker()
  try {
    await makeMachines(broker.api, hosts, machines)
    const idle = await costOf(broker, [], 'push', forMs)
    log(`The broker alone: ${percent(idle.share)}. ${pages} pages are opened …`)
    const open = await openPages(broker, pages)
    const costs: Record<string, Cost> = {}
    for (const changes of [false, true]) {
      for (const way of ['push', 'poll'] as const) {
        const cost = await costOf(broker, open, way, forMs, changes ? machines : 0)
        log(`${way}, ${changes ? 'machines change' : 'nothing changes'}: ${percent(cost.share)}`)
        costs[`${way} ${changes ? 'changing' : 'quiet'}`] = cost
      }
    }
    for (const page of open) page.close()
    return report({ pages, hosts, machines, forMs }, idle, costs)
  } finally {
    await broker.stop()
  }
}

interface Extent {
  readonly pages: number
  readonly hosts: number
  readonly machines: number
  readonly forMs: number
}

function report(
  { pages, hosts, machines, forMs }: Extent,
  idle: Cost,
  costs: Readonly<Record<string, Cost>>,
): Report {
  const faults = Object.values(costs).reduce((sum, cost) => sum + cost.faults, 0)
  return {
    name: 'dashboards',
    title: `${pages} open dashboards over ${machines} machines on ${hosts} hypervisors`,
    samples: samplesOf({ alone: idle, ...costs }),
    note:
      'Each page is a login of its own, with the connections of its own that a browser has, ' +
      'and asks for what Overview and Machines ask for, as web/api/live.ts does; the other ' +
      'side is the same pages asking for the same every 5 s. Each column was taken ' +
      `over ${forMs / 1_000} s of one run; the broker alone, without any page, ` +
      `took ${percent(idle.share)}. A change is a start or power-off of another machine. ` +
      'Hypervisors are simulated, the pages one process on the same machine. Answers that ' +
      `failed: ${faults}.`,
    comparisons: comparisonsOf(idle, costs),
  }
}

function samplesOf(costs: Readonly<Record<string, Cost>>): Record<string, number | number[]> {
  return Object.fromEntries(
    Object.entries(costs).flatMap(([name, { ages, ...figures }]) => [
      ...Object.entries(figures).map(([figure, value]) => [`${name} ${figure}`, value]),
      [`${name} ages`, ages],
    ]),
  ) as Record<string, number | number[]>
}

function comparisonsOf(idle: Cost, costs: Readonly<Record<string, Cost>>): Comparison[] {
  const both = (
    state: string,
    what: string,
    figure: (cost: Cost) => number,
    shown: (value: number) => string,
  ): Comparison => {
    const [push, poll] = ['push', 'poll'].map((way) =>
      figure(costs[`${way} ${state}`] ?? idle),
    ) as [number, number]
    return {
      what: `${state === 'quiet' ? 'nothing changes' : 'a machine a second changes'}: ${what}`,
      berth: shown(push),
      otherSide: shown(poll),
      ratio: push / poll,
      target: '',
      met: null,
    }
  }
  const questions = ({ questionsASecond }: Cost): number => questionsASecond
  return [
    {
      ...both('quiet', 'processor of the broker', ({ share }) => share, percent),
      target: `< ${MOST_SHARE * 100} %`,
      met: (costs['push quiet']?.share ?? Infinity) < MOST_SHARE,
    },
    both('quiet', 'sent to all pages', ({ bytesASecond }) => bytesASecond, bytes),
    both('changing', 'processor of the broker', ({ share }) => share, percent),
    both('changing', 'sent to all pages', ({ bytesASecond }) => bytesASecond, bytes),
    both('changing', 'questions a second', questions, (value) => value.toFixed(1)),
    both('changing', 'from the change to the page, p50', ageOf(0.5), milliseconds),
    both('changing', 'from the change to the page, p95', ageOf(0.95), milliseconds),
  ]
}

/** How old a change is when a page has it. */
function ageOf(share: number): (cost: Cost) => number {
  return ({ ages }) => (ages.length === 0 ? Number.NaN : quantile(ages, share))
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} % of a core`
}
function bytes(aSecond: number): string {
  return aSecond >= 1_000_000
    ? `${(aSecond / 1_000_000).toFixed(1)} MB/s`
    : `${(aSecond / 1_000).toFixed(2)} kB/s`
}

async function makeMachines(api: ApiClient, hosts: number, machines: number): Promise<void> {
  const hypervisors = await addSimulatedHypervisors(api, hosts)
  await createMachines(api, {
    name: 'd-golden',
    type: 'source',
    hypervisors: hypervisors.slice(0, 1),
  })
  await createMachines(api, {
    name: 'd-base',
    type: 'initial',
    parent: 'd-golden',
    hypervisors: hypervisors.slice(0, 1),
  })
  await createMachines(api, {
    name: 'd-{n}',
    count: machines,
    type: 'vdi',
    parent: 'd-base',
    hypervisors,
  })
  const allOff = async (): Promise<boolean> =>
    (await api.get<{ machines: Array<{ power: string }> }>('/machines?type=vdi')).machines.every(
      ({ power }) => power === 'off',
    )
  await until(allOff, {
    withinMs: 120_000,
    everyMs: 1_000,
    what: 'the broker has seen every machine',
  })
}

/** Each logs in as a browser does, and loads everything once. */
async function openPages(
  { url, ca, password }: SimulatedBroker,
  count: number,
): Promise<DashboardPage[]> {
  const pages: DashboardPage[] = []
  // One after another: tries at one account that come at the same time count as guesses.
  for (let number = 0; number < count; number += 1) {
    const { status, headers } = await new ApiClient(url, ca).raw(
      'POST',
      '/api/v1/session',
      { name: 'admin', password },
      { origin: url },
    )
    const cookie = (headers['set-cookie'] as string[] | undefined)?.[0]?.split(';')[0]
    if (status !== 200 || cookie === undefined)
      throw new Error(`a page could not log in: HTTP ${status}`)
    pages.push(new DashboardPage({ url, ca, cookie }))
  }
  await inTurn(pages, async (page) => {
    await page.load()
  })
  return pages
}

/**
 * Keeps the pages true in this way for so long, and says what it cost. `changing`: so many machines
 * change, one a second; 0: none.
 */
async function costOf(
  { pid, api }: SimulatedBroker,
  pages: readonly DashboardPage[],
  way: Way,
  forMs: number,
  changing = 0,
): Promise<Cost> {
  for (const [index, page] of pages.entries()) {
    if (way === 'push') await page.follow()
    else page.poll(index / pages.length)
  }
  await delay(SETTLE_MS)
  const sum = (figure: (page: DashboardPage) => number): number =>
    pages.reduce((total, page) => total + figure(page), 0)
  const counted = (): Six => [
    processorMs(pid),
    performance.now(),
    sum((page) => page.bytes),
    sum((page) => page.questions),
    sum((page) => page.givenUp),
    sum((page) => page.faults),
  ]
  const before = counted()
  const [, fromMs] = before
  const most = Math.min(changing, forMs / CHANGE_EVERY_MS)
  const changedMs = most > 0 ? await changeMachines(api, way, most, fromMs) : []
  await delay(Math.max(0, fromMs + forMs - performance.now()))
  const [usedMs, tookMs, bytes, questions, givenUp, faults] = differences(before, counted())
  if (changing > 0) await delay(ARRIVE_MS)
  for (const page of pages) page.rest()
  return {
    share: usedMs / tookMs,
    bytesASecond: (bytes / tookMs) * 1_000,
    questionsASecond: (questions / tookMs) * 1_000,
    givenUp,
    faults,
    ages: agesOf(pages, changedMs),
  }
}

type Six = [number, number, number, number, number, number]

function differences(before: Six, after: Six): Six {
  return after.map((value, index) => value - (before[index] ?? 0)) as Six
}

/** Starts (push) or powers off (poll) a machine every second; gives when each order was accepted. */
async function changeMachines(
  api: ApiClient,
  way: Way,
  count: number,
  fromMs: number,
): Promise<number[]> {
  const changedMs: number[] = []
  for (let number = 1; number <= count; number += 1) {
    await delay(Math.max(0, fromMs + (number - 1) * CHANGE_EVERY_MS - performance.now()))
    await api.post(`/machines/d-${number}/power`, { action: way === 'push' ? 'start' : 'poweroff' })
    changedMs.push(performance.now())
  }
  return changedMs
}

function agesOf(pages: readonly DashboardPage[], changedMs: readonly number[]): number[] {
  return changedMs.flatMap((atMs) =>
    pages.map(
      ({ machineLoads }) =>
        (machineLoads.find(({ askedMs }) => askedMs > atMs)?.endMs ?? Infinity) - atMs,
    ),
  )
}
