import { POLL_MS } from './crowd.js'
import { mebibytes } from './processes.js'
import { type Comparison, median, milliseconds, quantile, type Report } from './report.js'
import type { LoopDelay } from './simulated-place.js'

const MOST_SHARE = 0.08
const MOST_MEMORY_BYTES = 500 * 1_048_576
const MOST_FIRST_MS = 40_000
const MOST_ONE_MS = 200
const MOST_ALL_MS = 5_000
const MOST_LOOP_P99_MS = 50
const MOST_LOOP_MAX_MS = 500
/** Of so many first answers one is lost. */
export const LOST_ONE_IN = 3

export interface Seen {
  readonly firstMs: number
  readonly lockedOut: number
  readonly share: number
  readonly one: { readonly toldMs: number; readonly others: number }
  readonly toldMs: readonly number[]
  readonly rssBytes: number
  readonly bareBytes: number
  readonly lost: number
  readonly loop: Readonly<Record<'first contact' | 'quiet' | 'one' | 'all', LoopDelay>>
  readonly load: number
}

export function waitingReport(count: number, quietMs: number, seen: Seen): Report {
  return {
    name: 'waiting',
    title: `${count} waiting thin clients`,
    samples: samplesOf(seen),
    note:
      'Simulated thin clients, each with its own key, its own line in clients.xml and its own ' +
      `connection, wait in long polls of ${POLL_MS / 1_000} s for machines in maintenance on ` +
      'simulated hypervisors; the clients are one process on the same machine, whose load ' +
      `was ${seen.load.toFixed(1)} at the end. A change is counted from the beginning of the upload ` +
      'of the whole file until the device has its answer. The other side of the memory is a ' +
      'server of Node alone that holds as many requests over TLS and does nothing else.',
    comparisons: [
      quietLine(seen, quietMs),
      ...newsLines(seen),
      ...contactLines(seen),
      memoryLine(seen),
      ...loopLines(seen),
    ],
  }
}

function samplesOf(seen: Seen): Report['samples'] {
  const { share, one, toldMs, firstMs, lockedOut, rssBytes, bareBytes, lost, loop, load } = seen
  return {
    share,
    oneMs: one.toldMs,
    others: one.others,
    toldMs,
    firstMs,
    lockedOut,
    rssBytes,
    bareBytes,
    lost,
    load,
    ...Object.fromEntries(
      Object.entries(loop).map(([when, { p50, p99, max }]) => [`loop ${when}`, [p50, p99, max]]),
    ),
  }
}

function quietLine({ share }: Seen, quietMs: number): Comparison {
  return line(
    `processor of the broker while nothing happens, over ${quietMs / 1_000} s`,
    `${(share * 100).toFixed(1)} % of a core`,
    `≤ ${MOST_SHARE * 100} %`,
    share <= MOST_SHARE,
  )
}

function newsLines({ one, toldMs }: Seen): Comparison[] {
  const allMs = quantile(toldMs, 1)
  return [
    line(
      'a change of clients.xml that concerns one device reaches it',
      milliseconds(one.toldMs),
      `≤ ${milliseconds(MOST_ONE_MS)}`,
      one.toldMs <= MOST_ONE_MS,
    ),
    line('others that it wakes', String(one.others), '0', one.others === 0),
    line(
      'one that concerns all is told to half, to all',
      `${milliseconds(median(toldMs))}, ${milliseconds(allMs)}`,
      `≤ ${milliseconds(MOST_ALL_MS)}`,
      allMs <= MOST_ALL_MS,
    ),
  ]
}

function contactLines({ firstMs, lockedOut, lost }: Seen): Comparison[] {
  return [
    line(
      `first contact of all, a key for each, while one answer in ${LOST_ONE_IN} is lost`,
      milliseconds(firstMs),
      `≤ ${milliseconds(MOST_FIRST_MS)}`,
      firstMs <= MOST_FIRST_MS,
    ),
    line('locked out by a lost answer', String(lockedOut), '0', lockedOut === 0),
    line('connections that were lost', String(lost), '0', lost === 0),
  ]
}

function memoryLine({ rssBytes, bareBytes }: Seen): Comparison {
  return {
    ...line(
      'memory of the broker with all connections (Rss)',
      mebibytes(rssBytes),
      `≤ ${mebibytes(MOST_MEMORY_BYTES)}`,
      rssBytes <= MOST_MEMORY_BYTES,
    ),
    otherSide: mebibytes(bareBytes),
    ratio: rssBytes / bareBytes,
  }
}

function loopLines({ loop }: Seen): Comparison[] {
  return Object.entries(loop).map(([when, { p50, p99, max }]) =>
    line(
      `event loop late, ${when} (p50, p99, max)`,
      [p50, p99, max].map(milliseconds).join(', '),
      `p99 ≤ ${MOST_LOOP_P99_MS}, max ≤ ${MOST_LOOP_MAX_MS} ms`,
      p99 <= MOST_LOOP_P99_MS && max <= MOST_LOOP_MAX_MS,
    ),
  )
}

function line(what: string, berth: string, target: string, met: boolean): Comparison {
  return { what, berth, otherSide: '', ratio: null, target, met }
}
