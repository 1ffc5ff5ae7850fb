import { Agent } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import type { ApiClient } from '../test/support/api-client.js'
import { until } from '../test/support/until.js'
import { createMachines } from './fleet-with-broker.js'
import type { BenchOptions, Places } from './places.js'
import { memoryOf, mebibytes, processorMs } from './processes.js'
import { median, milliseconds, quantile, type Report } from './report.js'
import {
  addSimulatedHypervisors,
  inTurn,
  type SimulatedBroker,
  startSimulatedBroker,
} from './simulated-place.js'
import { ThinClientStandIn } from './thin-client-stand-in.js'

/** As the thin client's own long poll. */
const POLL_MS = 60_000
const MOST_SHARE = 0.5
/** Devices sit at many addresses, and questions are limited for each; Linux answers on all of 127.0.0.0/8. */
const DEVICES_AN_ADDRESS = 100
const MACHINES_A_HOST = 500

/** Thin clients that wait for a machine in maintenance: what the broker does while nothing happens, and how soon all hear of a change. */
export async function measureWaiting(
  places: Places,
  { small, log }: BenchOptions,
): Promise<Report> {
  await places.close()
  const [count, quietMs] = small ? [500, 15_000] : [10_000, 60_000]
  const broker = await startSimulatedBroker()
  try {
    await makeMachines(broker.api, count)
    await broker.api.put('/clients-xml', { text: clientsXml(count, 0) })
    log(`${count} thin clients ask for the first time …`)
    const agent = new Agent({
      keepAlive: true,
      ca: broker.ca,
      maxSockets: Number.POSITIVE_INFINITY,
    })
    const devices = Array.from(
      { length: count },
      (_, number) =>
        new ThinClientStandIn({
          url: broker.url,
          agent,
          number,
          localAddress: `127.0.${1 + Math.floor(number / DEVICES_AN_ADDRESS)}.1`,
        }),
    )
    const crowd = new Crowd()
    const firstMs = await inTurn(devices, async (device) => {
      const { state, sentence } = await device.ask(0)
      if (state !== 'maintenance')
        throw new Error(`a waiting thin client was told ${state}: ${sentence}`)
      void crowd.live(device)
    })
    log(`All are known after ${milliseconds(firstMs)}; they wait …`)
    await until(async () => crowd.waiting === count && (await answersQuickly(broker)), {
      withinMs: 120_000,
      everyMs: 1_000,
      what: `all ${count} wait and the broker is at rest`,
    })
    log(`Measuring ${quietMs / 1_000} s of quiet …`)
    const share = await quietShare(broker.pid, quietMs)
    log(`${(share * 100).toFixed(1)} % of a core. Changing clients.xml …`)
    const toldMs = await tellAll(broker, crowd, count)
    const { rssBytes } = memoryOf(broker.pid)
    crowd.stop()
    agent.destroy()
    return report(count, quietMs, { share, toldMs, firstMs, rssBytes, lost: crowd.lost })
  } finally {
    await broker.stop()
  }
}

function report(
  count: number,
  quietMs: number,
  seen: { share: number; toldMs: number[]; firstMs: number; rssBytes: number; lost: number },
): Report {
  return {
    name: 'waiting',
    title: `${count} waiting thin clients`,
    samples: {
      share: seen.share,
      toldMs: seen.toldMs,
      firstMs: seen.firstMs,
      rssBytes: seen.rssBytes,
      lost: seen.lost,
    },
    note: `Simulated thin clients, each with its own key, its own line in clients.xml and its own connection, wait in long polls of ${POLL_MS / 1_000} s for machines in maintenance on simulated hypervisors; the clients are one process on the same machine.`,
    comparisons: [
      {
        what: `processor of the broker while nothing happens, over ${quietMs / 1_000} s`,
        berth: `${(seen.share * 100).toFixed(1)} % of a core`,
        otherSide: '',
        ratio: null,
        target: `< ${MOST_SHARE * 100} %`,
        met: seen.share < MOST_SHARE,
      },
      {
        what: 'a change of clients.xml is told to half, to all',
        berth: `${milliseconds(median(seen.toldMs))}, ${milliseconds(quantile(seen.toldMs, 1))}`,
        otherSide: '',
        ratio: null,
        target: '',
        met: null,
      },
      {
        what: 'first contact of all, a key for each',
        berth: milliseconds(seen.firstMs),
        otherSide: '',
        ratio: null,
        target: '',
        met: null,
      },
      {
        what: 'connections that were lost',
        berth: String(seen.lost),
        otherSide: '',
        ratio: null,
        target: '0',
        met: seen.lost === 0,
      },
      {
        what: 'memory of the broker with all connections (Rss)',
        berth: mebibytes(seen.rssBytes),
        otherSide: '',
        ratio: null,
        target: '',
        met: null,
      },
    ],
  }
}

const QUICK_MS = 200
const RETRY_MS = 1_000

async function answersQuickly({ api }: SimulatedBroker): Promise<boolean> {
  const startMs = performance.now()
  await api.raw('GET', '/healthz')
  return performance.now() - startMs < QUICK_MS
}

/** The devices' loops: each asks again as soon as it has an answer, and as a real one does also after a connection was lost. */
class Crowd {
  waiting = 0
  lost = 0
  onNews: () => void = () => {}
  #stopped = false

  stop(): void {
    this.#stopped = true
  }

  async live(device: ThinClientStandIn): Promise<void> {
    while (!this.#stopped) {
      this.waiting += 1
      try {
        const before = device.mark
        await device.ask(POLL_MS)
        if (device.mark !== before) this.onNews()
      } catch {
        this.lost += 1
        await delay(RETRY_MS)
      } finally {
        this.waiting -= 1
      }
    }
  }
}

async function quietShare(pid: number, quietMs: number): Promise<number> {
  const [before, startMs] = [processorMs(pid), performance.now()]
  await delay(quietMs)
  return (processorMs(pid) - before) / (performance.now() - startMs)
}

/** Gives every device another machine by a new clients.xml, and the time until each has heard of it. */
async function tellAll(broker: SimulatedBroker, crowd: Crowd, count: number): Promise<number[]> {
  const told: number[] = []
  const startMs = performance.now()
  crowd.onNews = () => {
    told.push(performance.now() - startMs)
  }
  await broker.api.put('/clients-xml', { text: clientsXml(count, 1) })
  await until(() => told.length >= count, {
    withinMs: 300_000,
    everyMs: 50,
    what: 'every thin client was told',
  })
  return told.slice(0, count)
}

function clientsXml(count: number, shift: number): string {
  const devices = Array.from({ length: count }, (_, number) => {
    const { mac } = new ThinClientStandIn({ url: '', agent: new Agent(), number })
    return `<client mac="${mac}"><protocol>SPICE</protocol><machine-name>w-${1 + ((number + shift) % machinesFor(count))}</machine-name></client>`
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
