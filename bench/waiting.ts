import { Agent } from 'node:https'
import { loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ApiClient } from '../test/support/api-client.js'
import { until } from '../test/support/until.js'
import { memoryOfBareConnections } from './bare-connections.js'
import { Crowd, POLL_MS } from './crowd.js'
import { createMachines } from './fleet-with-broker.js'
import type { BenchOptions, Places } from './places.js'
import { memoryOf, mebibytes, processorMs } from './processes.js'
import { type Comparison, median, milliseconds, quantile, type Report } from './report.js'
import {
  addSimulatedHypervisors,
  inTurn,
  type LoopDelay,
  type SimulatedBroker,
  startSimulatedBroker,
} from './simulated-place.js'
import { ThinClientStandIn } from './thin-client-stand-in.js'

const MOST_SHARE = 0.08
const MOST_MEMORY_BYTES = 500 * 1_048_576
const MOST_FIRST_MS = 40_000
const MOST_ONE_MS = 200
const MOST_ALL_MS = 5_000
const MOST_LOOP_P99_MS = 50
const MOST_LOOP_MAX_MS = 500
/** Of so many first answers one is lost. */
const LOST_ONE_IN = 3
/** Devices sit at many addresses, and questions are limited for each; Linux answers on all of 127.0.0.0/8. */
const DEVICES_AN_ADDRESS = 100
const MACHINES_A_HOST = 500
/** The share that waits at any moment: between two polls each rests for half a second. */
const WAITING = 0.97
/** How long others are watched after a change that does not concern them. */
const WATCH_MS = 5_000

interface Seen {
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

/**
 * Thin clients that wait for a machine in maintenance: what the broker does while nothing happens,
 * and how soon all hear of a change.
 */
export async function measureWaiting(
  places: Places,
  { small, log }: BenchOptions,
): Promise<Report> {
  await places.close()
  const [count, quietMs] = small ? [500, 15_000] : [10_000, POLL_MS]
  const broker = await startSimulatedBroker()
  try {
    log(`${count} connections to a server of Node alone …`)
    const bareBytes = await memoryOfBareConnections({
      count,
      keyFile: join(dirname(broker.database), 'server-key.pem'),
      certificateFile: join(dirname(broker.database), 'server.pem'),
      localAddressOf,
    })
    await makeMachines(broker.api, count)
    await broker.api.put('/clients-xml', { text: clientsXml(count) })
    return report(count, quietMs, { ...(await watch(broker, count, quietMs, log)), bareBytes })
  } finally {
    await broker.stop()
  }
}

/** From the first contact of all to the change that concerns all. */
async function watch(
  broker: SimulatedBroker,
  count: number,
  quietMs: number,
  log: (line: string) => void,
): Promise<Omit<Seen, 'bareBytes'>> {
  await broker.loopDelay()
  const agent = new Agent({ keepAlive: true, ca: broker.ca, maxSockets: Number.POSITIVE_INFINITY })
  const crowd = new Crowd()
  try {
    const devices = makeDevices(broker, agent, count)
    log(`${count} thin clients ask for the first time …`)
    const first = await firstContact(devices, crowd)
    const loopFirst = await broker.loopDelay()
    log(`All are known after ${milliseconds(first.ms)}; they wait …`)
    await until(async () => crowd.waiting >= count * WAITING && (await answersQuickly(broker)), {
      withinMs: 120_000,
      everyMs: 1_000,
      what: `${count} wait and the broker is at rest`,
    })
    await broker.loopDelay()
    log(`Measuring ${quietMs / 1_000} s of quiet …`)
    const share = await quietShare(broker.pid, quietMs)
    const loopQuiet = await broker.loopDelay()
    log(`${(share * 100).toFixed(1)} % of a core. Changing clients.xml for one, then for all …`)
    const one = await tellOne(broker, crowd, devices)
    const loopOne = await broker.loopDelay()
    const toldMs = await tellAll(broker, crowd, count)
    const loopAll = await broker.loopDelay()
    const { rssBytes } = memoryOf(broker.pid)
    return {
      firstMs: first.ms,
      lockedOut: first.lockedOut,
      share,
      one,
      toldMs,
      rssBytes,
      lost: crowd.lost,
      loop: { 'first contact': loopFirst, quiet: loopQuiet, one: loopOne, all: loopAll },
      load: loadavg()[0] ?? 0,
    }
  } finally {
    crowd.stop()
    agent.destroy()
  }
}

function report(count: number, quietMs: number, seen: Seen): Report {
  const { share, one, toldMs, firstMs, lockedOut, rssBytes, bareBytes, lost, loop, load } = seen
  const allMs = quantile(toldMs, 1)
  return {
    name: 'waiting',
    title: `${count} waiting thin clients`,
    samples: {
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
    },
    note:
      'Simulated thin clients, each with its own key, its own line in clients.xml and its own ' +
      `connection, wait in long polls of ${POLL_MS / 1_000} s for machines in maintenance on ` +
      'simulated hypervisors; the clients are one process on the same machine, whose load ' +
      `was ${load.toFixed(1)} at the end. A change is counted from the beginning of the upload ` +
      'of the whole file until the device has its answer. The other side of the memory is a ' +
      'server of Node alone that holds as many requests over TLS and does nothing else.',
    comparisons: [
      line(
        `processor of the broker while nothing happens, over ${quietMs / 1_000} s`,
        `${(share * 100).toFixed(1)} % of a core`,
        `≤ ${MOST_SHARE * 100} %`,
        share <= MOST_SHARE,
      ),
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
      line(
        `first contact of all, a key for each, while one answer in ${LOST_ONE_IN} is lost`,
        milliseconds(firstMs),
        `≤ ${milliseconds(MOST_FIRST_MS)}`,
        firstMs <= MOST_FIRST_MS,
      ),
      line('locked out by a lost answer', String(lockedOut), '0', lockedOut === 0),
      line('connections that were lost', String(lost), '0', lost === 0),
      {
        ...line(
          'memory of the broker with all connections (Rss)',
          mebibytes(rssBytes),
          `≤ ${mebibytes(MOST_MEMORY_BYTES)}`,
          rssBytes <= MOST_MEMORY_BYTES,
        ),
        otherSide: mebibytes(bareBytes),
        ratio: rssBytes / bareBytes,
      },
      ...Object.entries(loop).map(([when, { p50, p99, max }]) =>
        line(
          `event loop late, ${when} (p50, p99, max)`,
          [p50, p99, max].map(milliseconds).join(', '),
          `p99 ≤ ${MOST_LOOP_P99_MS}, max ≤ ${MOST_LOOP_MAX_MS} ms`,
          p99 <= MOST_LOOP_P99_MS && max <= MOST_LOOP_MAX_MS,
        ),
      ),
    ],
  }
}

function line(what: string, berth: string, target: string, met: boolean): Comparison {
  return { what, berth, otherSide: '', ratio: null, target, met }
}

const QUICK_MS = 200

async function answersQuickly({ api }: SimulatedBroker): Promise<boolean> {
  const startMs = performance.now()
  await api.raw('GET', '/healthz')
  return performance.now() - startMs < QUICK_MS
}

function makeDevices(broker: SimulatedBroker, agent: Agent, count: number): ThinClientStandIn[] {
  return Array.from(
    { length: count },
    (_, number) =>
      new ThinClientStandIn({
        url: broker.url,
        agent,
        number,
        localAddress: localAddressOf(number),
      }),
  )
}

function localAddressOf(number: number): string {
  return `127.0.${1 + Math.floor(number / DEVICES_AN_ADDRESS)}.1`
}

/**
 * Each gets its key; every third one only with its second question, since the connection breaks
 * before it has read the first answer.
 */
async function firstContact(
  devices: readonly ThinClientStandIn[],
  crowd: Crowd,
): Promise<{ ms: number; lockedOut: number }> {
  let lockedOut = 0
  const ms = await inTurn(devices, async (device) => {
    if (device.options.number % LOST_ONE_IN === 0) await device.askInVain()
    const { state, sentence } = await device.ask(0)
    if (state === 'unknown') lockedOut += 1
    else if (state !== 'maintenance')
      throw new Error(`a waiting thin client was told ${state}: ${sentence}`)
    void crowd.live(device)
  })
  return { ms, lockedOut }
}

async function quietShare(pid: number, quietMs: number): Promise<number> {
  const [before, startMs] = [processorMs(pid), performance.now()]
  await delay(quietMs)
  return (processorMs(pid) - before) / (performance.now() - startMs)
}

/**
 * Gives one device another machine, and the time until it has heard of it; counts the others whose
 * polls end early meanwhile and for a while after.
 */
async function tellOne(
  broker: SimulatedBroker,
  crowd: Crowd,
  devices: readonly ThinClientStandIn[],
): Promise<{ toldMs: number; others: number }> {
  const concerned = Math.floor(devices.length / 2)
  let toldMs: number | null = null
  let others = 0
  const startMs = performance.now()
  crowd.onAnswer = ({ device, isNews, isEarly }) => {
    if (device !== devices[concerned]) others += isNews || isEarly ? 1 : 0
    else if (isNews) toldMs ??= performance.now() - startMs
  }
  await broker.api.put('/clients-xml', { text: clientsXml(devices.length, 0, concerned) })
  await until(() => toldMs !== null, {
    withinMs: 120_000,
    everyMs: 20,
    what: 'the thin client was told',
  })
  await delay(WATCH_MS)
  return { toldMs: toldMs ?? Number.NaN, others }
}

/** Gives every device another machine by a new clients.xml, and the time until each has heard of it. */
async function tellAll(broker: SimulatedBroker, crowd: Crowd, count: number): Promise<number[]> {
  const told = new Map<ThinClientStandIn, number>()
  const startMs = performance.now()
  crowd.onAnswer = ({ device, isNews }) => {
    if (isNews && !told.has(device)) told.set(device, performance.now() - startMs)
  }
  await broker.api.put('/clients-xml', { text: clientsXml(count, 2) })
  await until(() => told.size >= count, {
    withinMs: 300_000,
    everyMs: 50,
    what: 'every thin client was told',
  })
  return [...told.values()]
}

/**
 * `shift`: how many machines further on each finds its own; `other`: the device that goes one
 * further than the rest.
 */
function clientsXml(count: number, shift = 0, other = -1): string {
  const machines = machinesFor(count)
  const devices = Array.from({ length: count }, (_, number) => {
    const { mac } = new ThinClientStandIn({ url: '', agent: new Agent(), number })
    const machine = 1 + ((number + shift + (number === other ? 1 : 0)) % machines)
    return `<client mac="${mac}"><protocol>SPICE</protocol><machine-name>w-${machine}</machine-name></client>`
  })
  return `<thin-clients>${devices.join('\n')}</thin-clients>`
}

function machinesFor(count: number): number {
  return Math.ceil(count / 10)
}

async function makeMachines(api: ApiClient, count: number): Promise<void> {
  const machines = machinesFor(count)
  const hypervisors = await addSimulatedHypervisors(
    api,
    Math.max(2, Math.ceil(machines / MACHINES_A_HOST)),
  )
  await createMachines(api, {
    name: 'w-golden',
    type: 'source',
    hypervisors: hypervisors.slice(0, 1),
  })
  await createMachines(api, {
    name: 'w-base',
    type: 'initial',
    parent: 'w-golden',
    hypervisors: hypervisors.slice(0, 1),
  })
  await createMachines(api, {
    name: 'w-{n}',
    count: machines,
    type: 'vdi',
    parent: 'w-base',
    hypervisors,
  })
  await api.put('/machines/w-base/maintenance', { on: true, reason: 'They wait', children: true })
}
