/** A broker as main.ts starts it, but its hypervisors are simulated: for numbers of machines and thin clients that no one machine can run. Usage: simulated-broker [--config] CONFIG */
import { startBroker } from '../broker/broker.js'
import { loadConfig } from '../broker/config.js'
import { SimulatedHost, SimulatedLink } from '../broker/hypervisors/simulated.js'
import { openLog } from '../broker/log.js'

const config = loadConfig(process.argv.at(-1) ?? null)
const broker = await startBroker({
  config,
  log: openLog(config.logLevel),
  hosts: {
    openLink: (name, settings, events) =>
      new SimulatedLink(new SimulatedHost(name), { settings, events }),
  },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    void broker.stop().finally(() => {
      process.exit(0)
    })
  })
