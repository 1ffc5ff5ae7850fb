/**
 * A broker as main.ts starts it, but its hypervisors are simulated: for numbers of machines and
 * thin clients that no one machine can run. Usage: simulated-broker [--config] CONFIG
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startBroker } from '../broker/broker.js'
import { loadConfig } from '../broker/config.js'
import { SimulatedHost } from '../broker/hypervisors/simulated.js'
import { SimulatedLink } from '../broker/hypervisors/simulated-link.js'
import { openLog } from '../broker/log.js'
import type { Holdings, LoopDelay, Order } from './simulated-place.js'

const simulated = new Map<string, SimulatedHost>()
const config = loadConfig(process.argv.at(-1) ?? null)
const broker = await startBroker({
  config,
  log: openLog(config.logLevel),
  hosts: {
    openLink: (name, settings, events) => {
      const host = new SimulatedHost(name)
      simulated.set(name, host)
      return new SimulatedLink(host, { settings, events })
    },
  },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    void broker.stop().finally(() => {
      process.exit(0)
    })
  })

/** How late the event loop was since the last question, in milliseconds. */
const RESOLUTION_MS = 10
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
loop.enable()

function loopDelay(): LoopDelay {
  // What is recorded is the time between two ticks, which are RESOLUTION_MS apart when nothing is late.
  const late = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS)
  const { max } = loop
  const seen = { p50: late(loop.percentile(50)), p99: late(loop.percentile(99)), max: late(max) }
  loop.reset()
  return seen
}

/** What the process holds once garbage is collected. */
function holdings(): Holdings {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { rss, heapUsed, external } = process.memoryUsage()
  return {
    rssBytes: rss,
    heapBytes: heapUsed,
    externalBytes: external,
    handles: process.getActiveResourcesInfo().length,
  }
}

function obey(order: Order): LoopDelay | Holdings | true {
  switch (order.do) {
    case 'loop-delay':
      return loopDelay()
    case 'holdings':
      return holdings()
    case 'line':
      simulated.get(order.host)?.link?.setUp(order.up)
      return true
    case 'seat':
      simulated.get(order.host)?.seat(order.machine, order.viewers)
      return true
  }
}

/** Orders of the parent, answered one after another. */
process.on('message', (order: Order) => {
  process.send?.(obey(order))
})
