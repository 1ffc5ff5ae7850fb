#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { existsSync } from 'node:fs'
import { startBroker } from './broker.js'
import { type Config, ConfigError, dataFile, loadConfig } from './config.js'
import { openLog } from './log.js'
import { moveStore } from './move-store.js'
import { notifySystemd } from './systemd-notify.js'
import { VERSION } from './version.js'

/** sysexits.h: a fault of the configuration; wrong words on the command line; anything else. */
const EXIT_CONFIG = 78
const EXIT_USAGE = 64
const EXIT_START = 1
const DEFAULT_CONFIG = '/etc/berth/broker.yaml'
const USAGE = `berth-broker ${VERSION}
Usage: berth-broker [--config FILE] [--check]
       berth-broker move-store --to WHERE [--password-file FILE] [--config FILE]
  --config FILE  settings; default ${DEFAULT_CONFIG} when it exists
  --check        only check the settings; exit code 78 when they have faults
  move-store     copies the database of the settings, while the broker is stopped
  --to WHERE     an empty PostgreSQL database, by its URL, or sqlite
  --password-file FILE  the password of that database's user`

async function main(): Promise<void> {
  process.umask(0o077)
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      check: { type: 'boolean' },
      help: { type: 'boolean' },
      to: { type: 'string' },
      'password-file': { type: 'string' },
    },
  })
  if (values.help) return void say(USAGE)
  const fault = usageFault(positionals, values)
  if (fault !== null) throw new UsageError(fault)
  const config = loadConfig(values.config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : null))
  if (values.check) return void say('The settings are good.')
  if (values.to !== undefined) return await move(config, values.to, values['password-file'] ?? '')
  const log = openLog(config.logLevel)
  // systemd starts it again; it is refused for as long as the other one runs.
  const onDatabaseLost = (): never => process.exit(EXIT_START)
  const broker = await startBroker({ config, log, onDatabaseLost })
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

async function move(config: Config, to: string, passwordFile: string): Promise<void> {
  const { tables, rows } = await moveStore({ config, to, passwordFile, say })
  const settings = [`store: ${to}`]
  if (passwordFile !== '') settings.push(`store-password-file: ${passwordFile}`)
  say(
    `Moved ${rows} rows of ${tables} tables. Set ${settings.join(' and ')} in the settings and ` +
      'start the broker; the old database is as it was.',
  )
}

class UsageError extends Error {}

/** What is wrong with the words behind the command's name; null: nothing. */
function usageFault(
  words: readonly string[],
  values: { to?: string; 'password-file'?: string; check?: boolean },
): string | null {
  const [command, ...more] = words
  if (command === undefined)
    return values.to === undefined && values['password-file'] === undefined
      ? null
      : '--to and --password-file belong to move-store'
  if (command !== 'move-store' || more.length > 0) return `"${words.join(' ')}" is not a command`
  if (values.check) return '--check does not go together with move-store'
  if (values.to === 'sqlite' && values['password-file'] !== undefined)
    return '--password-file is for PostgreSQL'
  return values.to === undefined ? 'move-store needs --to' : null
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** parseArgs says what it does not understand by errors with such codes. */
function isUsage(error: unknown): boolean {
  return (
    error instanceof UsageError ||
    (error instanceof TypeError &&
      'code' in error &&
      String(error.code).startsWith('ERR_PARSE_ARGS'))
  )
}

main().catch((error: unknown) => {
  const config = error instanceof ConfigError
  const faults = config ? error.faults : [error instanceof Error ? error.message : String(error)]
  for (const fault of faults) process.stderr.write(`berth-broker: ${fault}\n`)
  if (isUsage(error)) process.stderr.write(`${USAGE}\n`)
  process.exit(config ? EXIT_CONFIG : isUsage(error) ? EXIT_USAGE : EXIT_START)
})
