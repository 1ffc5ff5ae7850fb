import { Agent } from 'node:https'
import { loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../test/support/until.js'
import { memoryOfBareConnections } from './bare-connections.js'
import { Crowd, POLL_MS } from './crowd.js'
import type { BenchOptions, Places } from './places.js'
import { memoryOf, processorMs } from './processes.js'
import { milliseconds, type Report } from './report.js'
import { inTurn, type SimulatedBroker, startSimulatedBroker } from './simulated-place.js'
import { ThinClientStandIn } from './thin-client-stand-in.js'
import { clientsXml, makeMachines } from './waiting-machines.js'
import { LOST_ONE_IN, type Seen, waitingReport } from './waiting-report.js'

/** Devices sit at many addresses, and questions are limited for each; Linux answers on all of 127.0.0.0/8. */
const DEVICES_AN_ADDRESS = 100
/** The share that waits at any moment: between two polls each rests for half a second. */
const WAITING = 0.97
/** How long others are watched after a change that does not concern them. */
const WATCH_MS = 5_000

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
    return waitingReport(count, quietMs, {
      ...(await watch(broker, count, quietMs, log)),
      bareBytes,
    })
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
    return {
      firstMs: first.ms,
      lockedOut: first.lockedOut,
      share,
      one,
      toldMs,
      rssBytes: memoryOf(broker.pid).rssBytes,
      lost: crowd.lost,
      loop: { 'first contact': loopFirst, quiet: loopQuiet, one: loopOne, all: loopAll },
      load: loadavg()[0] ?? 0,
    }
  } finally {
    crowd.stop()
    agent.destroy()
  }
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
