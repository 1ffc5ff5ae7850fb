/**
 * The broker as main.ts starts it, but it ends itself with kill -9 at the step of a job that
 * CRASH_AT names: `kind target step before|after`, `*` for any.
 */
import { startBroker } from '../../broker/broker.js'
import { loadConfig } from '../../broker/config.js'
import { openLog } from '../../broker/log.js'

const wanted = (process.env['CRASH_AT'] ?? '').split(' ')
const config = loadConfig(process.argv[3] ?? null)
await startBroker({
  config,
  log: openLog('info'),
  hook: ({ kind, target, step, when }) => {
    const point = [kind, target, step.replaceAll(' ', '-'), when]
    if (wanted.every((part, index) => part === '*' || part === point[index]))
      process.kill(process.pid, 'SIGKILL')
  },
})
