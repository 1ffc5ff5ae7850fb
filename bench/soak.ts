import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import type { BenchOptions, Places } from './places.js'
import { mebibytes, withChildren } from './processes.js'
import type { Comparison, Report } from './report.js'
import { type SimulatedBroker, startSimulatedBroker } from './simulated-place.js'
import { SoakDay } from './soak-day.js'

/** In a day of the usual length, so many rounds; a shorter one has fewer, of the same length. */
const ROUND_MS = 5_000
const TENTH = 0.1
/** What of one round is still under way when the figures are taken. */
const SETTLE_MS = 3_000
const MEBIBYTE = 1_048_576
/**
 * Kept for as long as the settings say (`keep-jobs` and `keep-events`), or for a fixed time: they
 * grow with what is done, and with nothing else.
 */
const KEPT: ReadonlySet<string> = new Set([
  'event',
  'job',
  'job_target',
  'job_step',
  'history_minute',
  'clients_xml_version',
])
/** Rows of a table that is kept, for each round at the end against those at the tenth. */
const MOST_ROWS_A_ROUND = 1.5
/** Rows of any other table that may have come, such as what a round that is just over has left. */
const MORE_ROWS = 20
/** What compiled code and caches of statements still take after a tenth of the day. */
const MORE_HEAP_BYTES = 20 * MEBIBYTE
const MORE_RSS_BYTES = 80 * MEBIBYTE
/** Connections of devices and people that come and go. */
const MORE_HANDLES = 30
const MORE_THREADS = 4

interface Figures {
  readonly round: number
  readonly heapBytes: number
  readonly rssBytes: number
  readonly handles: number
  readonly descriptors: number
  readonly sockets: number
  readonly threads: number
  readonly processes: number
  readonly rows: Readonly<Record<string, number>>
}

/** A simulated day in some minutes: what the broker holds at its end must be what it held at a tenth of it. */
export async function measureSoak(
  places: Places,
  { small, minutes, log }: BenchOptions,
): Promise<Report> {
  await places.close()
  const rounds = Math.max(10, Math.round(((small ? 1 : minutes) * 60_000) / ROUND_MS))
  const broker = await startSimulatedBroker()
  const day = new SoakDay(broker)
  try {
    await day.open()
    log(`A day of ${rounds} rounds …`)
    let early: Figures | undefined
    for (let round = 1; round <= rounds; round += 1) {
      const startMs = performance.now()
      await day.pass(round)
      await delay(Math.max(0, ROUND_MS - (performance.now() - startMs)))
      if (round !== Math.ceil(rounds * TENTH)) continue
      early = await figuresOf(broker, round)
      log(`At a tenth of it: ${inWords(early)}`)
    }
    const late = await figuresOf(broker, rounds)
    log(`At its end:       ${inWords(late)}`)
    return report(early ?? late, late, day.lost)
  } finally {
    day.close()
    await broker.stop()
  }
}

async function figuresOf(broker: SimulatedBroker, round: number): Promise<Figures> {
  await delay(SETTLE_MS)
  const { heapBytes, externalBytes, rssBytes, handles } = await broker.holdings()
  const all = withChildren(broker.pid)
  const open = all.flatMap((pid) => readdirSync(`/proc/${pid}/fd`).map((fd) => [pid, fd] as const))
  return {
    round,
    heapBytes: heapBytes + externalBytes,
    rssBytes,
    handles,
    descriptors: open.length,
    sockets: socketsOf(broker.pid),
    threads: all.reduce((sum, pid) => sum + threadsOf(pid), 0),
    processes: all.length,
    rows: rowsIn(broker.database),
  }
}

function threadsOf(pid: number): number {
  return Number(/^Threads:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
}

/** Connections of the process: those of Node and of native libraries. */
function socketsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => isSocket(`/proc/${pid}/fd/${fd}`)).length
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:')
  } catch {
    return false // closed meanwhile
  }
}

function rowsIn(path: string): Record<string, number> {
  const database = new Database(path, { readonly: true })
  try {
    const tables = database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .pluck()
      .all() as string[]
    return Object.fromEntries(
      tables.map((table) => [
        table,
        database.prepare(`SELECT count(*) FROM "${table}"`).pluck().get() as number,
      ]),
    )
  } finally {
    database.close()
  }
}

function inWords(figures: Figures): string {
  const { heapBytes, rssBytes, handles, descriptors, sockets, threads, processes, rows } = figures
  const tables = Object.entries(rows).filter(([, count]) => count > 0)
  return (
    `heap ${mebibytes(heapBytes)}, Rss ${mebibytes(rssBytes)}, ${handles} ` +
    `handles, ${descriptors} descriptors, ${sockets} sockets, ${threads} threads, ${processes} ` +
    `processes; rows: ${tables.map(([table, count]) => `${table} ${count}`).join(', ')}`
  )
}

function comparisonsOf(early: Figures, late: Figures): Comparison[] {
  const grown = (
    what: string,
    value: (figures: Figures) => number,
    most: number,
    shown: (value: number) => string = String,
  ): Comparison => ({
    what,
    berth: shown(value(late)),
    otherSide: shown(value(early)),
    ratio: value(late) / Math.max(1, value(early)),
    target: `≤ ${shown(most)} more`,
    met: value(late) - value(early) <= most,
  })
  const kept = (table: string): Comparison => {
    const aRound = (figures: Figures): number => (figures.rows[table] ?? 0) / figures.round
    const ratio = aRound(late) / Math.max(aRound(early), 1 / early.round)
    return {
      what: `rows of ${table} for each round`,
      berth: aRound(late).toFixed(1),
      otherSide: aRound(early).toFixed(1),
      ratio,
      target: `≤ ${MOST_ROWS_A_ROUND} times`,
      met: ratio <= MOST_ROWS_A_ROUND,
    }
  }
  return [
    grown('heap and buffers', ({ heapBytes }) => heapBytes, MORE_HEAP_BYTES, mebibytes),
    grown('memory (Rss)', ({ rssBytes }) => rssBytes, MORE_RSS_BYTES, mebibytes),
    grown('handles of the event loop', ({ handles }) => handles, MORE_HANDLES),
    grown('open descriptors', ({ descriptors }) => descriptors, MORE_HANDLES),
    grown('connections, native ones included', ({ sockets }) => sockets, MORE_HANDLES),
    grown('threads', ({ threads }) => threads, MORE_THREADS),
    grown('processes', ({ processes }) => processes, 0),
    ...Object.keys(late.rows).map((table) =>
      KEPT.has(table)
        ? kept(table)
        : grown(`rows of ${table}`, ({ rows }) => rows[table] ?? 0, MORE_ROWS),
    ),
  ]
}

function report(early: Figures, late: Figures, lost: number): Report {
  const comparisons = comparisonsOf(early, late)
  return {
    name: 'soak',
    title:
      `A simulated day of ${late.round} rounds: what the broker holds at its end, and (other ` +
      `side) after ${early.round} rounds; ${lost} connections of devices were lost`,
    comparisons,
    samples: { rounds: late.round, lost, heap: [early.heapBytes, late.heapBytes] },
    note:
      'In each round people log in, claim desktops, open their screens and give them back; ' +
      'devices wait, come and are removed; clients.xml changes; every fifth round the pool is ' +
      'updated, every fourth a host is lost for a moment. Hypervisors are simulated. Tables ' +
      'that settings keep for a time (jobs, events) are compared for each round.',
    failed: comparisons.some(({ met }) => met === false),
  }
}
