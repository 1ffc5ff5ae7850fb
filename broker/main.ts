#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { existsSync } from 'node:fs'
import { startBroker } from './broker.js'
import { ConfigError, dataFile, loadConfig } from './config.js'
import { openLog } from './log.js'
import { notifySystemd } from './systemd-notify.js'
import { VERSION } from './version.js'

/** sysexits.h: a fault of the configuration; anything else that stops the start. */
const EXIT_CONFIG = 78
const EXIT_START = 1
const DEFAULT_CONFIG = '/etc/berth/broker.yaml'
const USAGE = `berth-broker ${VERSION}
Usage: berth-broker [--config FILE] [--check]
  --config FILE  settings; default ${DEFAULT_CONFIG} when it exists
  --check        only check the settings; exit code 78 when they have faults`

async function main(): Promise<void> {
  process.umask(0o077)
  const { values } = parseArgs({
    options: { config: { type: 'string' }, check: { type: 'boolean' }, help: { type: 'boolean' } },
  })
  if (values.help) return void process.stdout.write(`${USAGE}\n`)
  const config = loadConfig(values.config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : null))
  if (values.check) return void process.stdout.write('The settings are good.\n')
  const log = openLog(config.logLevel)
  const broker = await startBroker({ config, log })
  const [name] = config.publicNames
  log.info(
    { url: `https://${name ?? 'localhost'}:${broker.port}`, ca: broker.caFingerprint },
    'berth listens',
  )
  if (broker.madeAdministrator)
    log.info(
      { account: 'admin', passwordFile: dataFile(config, 'admin-password') },
      'the first administrator was made; its password is in the file',
    )
  const stopWatchdog = notifySystemd(log)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stopWatchdog()
      broker.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, 'stopping failed')
          process.exit(EXIT_START)
        },
      )
    })
  }
}

main().catch((error: unknown) => {
  const config = error instanceof ConfigError
  const faults = config ? error.faults : [error instanceof Error ? error.message : String(error)]
  for (const fault of faults) process.stderr.write(`berth-broker: ${fault}\n`)
  process.exit(config ? EXIT_CONFIG : EXIT_START)
})
