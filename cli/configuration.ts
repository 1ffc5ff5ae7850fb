import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  type BrokerAddress,
  parseBrokerAddress,
  parseTrust,
  showBrokerAddress,
} from './broker-address.js'
import type { BrokerTarget } from './broker-client.js'
import { CliError } from './cli-error.js'

/** What `berth login` keeps. `broker`: HOST:PORT; `ca`: its pin; `token` absent after a logout. */
export interface SavedLogin {
  readonly broker: string
  readonly ca: string
  readonly token?: string
}
type Environment = Readonly<Record<string, string | undefined>>
const FIELDS = ['broker', 'ca', 'token']

/** $XDG_CONFIG_HOME/berth/cli.json, or ~/.config/berth/cli.json (XDG Base Directory: a relative value is ignored). */
export function configurationPath(environment: Environment): string {
  const home = environment['XDG_CONFIG_HOME']
  return join(
    home?.startsWith('/') === true ? home : join(homedir(), '.config'),
    'berth',
    'cli.json',
  )
}

/** Gives null when there is none. Throws CliError refused when the file is not what login writes. */
export function readLogin(environment: Environment): SavedLogin | null {
  const path = configurationPath(environment)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw new CliError(
      'refused',
      `${path} cannot be read; mend its permissions or remove it.`,
      [],
      { cause },
    )
  }
  return parseLogin(text, path)
}

function parseLogin(text: string, path: string): SavedLogin {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = null
  }
  const fields: Partial<Record<string, unknown>> =
    typeof value === 'object' && value !== null ? { ...value } : {}
  const { broker, ca, token } = fields
  const known = Object.keys(fields).every((field) => FIELDS.includes(field))
  if (
    !known ||
    typeof broker !== 'string' ||
    typeof ca !== 'string' ||
    (token !== undefined && typeof token !== 'string')
  ) {
    throw new CliError('refused', `${path} is damaged; remove it and run "berth login".`)
  }
  return { broker, ca, ...(token === undefined ? {} : { token }) }
}

/** Replaces the file as a whole, readable by its owner only from the first moment. */
export function writeLogin(environment: Environment, login: SavedLogin): void {
  const path = configurationPath(environment)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  chmodSync(dirname(path), 0o700)
  const temporary = `${path}.${process.pid}`
  const file = openSync(temporary, 'w', 0o600)
  writeSync(file, `${JSON.stringify(login, null, 2)}\n`)
  closeSync(file)
  renameSync(temporary, path)
}

/**
 * Where to ask, with which pin and token. The environment wins over the file. The file's pin and
 * token are used only for the broker that the file names: a token must never go to another one.
 * Throws CliError forbidden when there is no broker or no pin.
 */
export function brokerTarget(environment: Environment, warn: (text: string) => void): BrokerTarget {
  const saved = readLogin(environment)
  const broker = environment['BERTH_BROKER'] ?? saved?.broker
  if (broker === undefined || broker === '')
    throw new CliError(
      'forbidden',
      'Not logged in; run "berth login --broker HOST", or set BERTH_BROKER, BERTH_CA and BERTH_TOKEN_FILE.',
    )
  const address = parseBrokerAddress(broker)
  const mine = isAt(saved, address) ? saved : null
  const pin = environment['BERTH_CA'] ?? mine?.ca
  if (pin === undefined)
    throw new CliError(
      'forbidden',
      `The certificate authority of ${showBrokerAddress(address)} is not known; run "berth ` +
        `login --broker ${broker}", or set BERTH_CA.`,
    )
  return {
    address,
    trust: parseTrust(pin),
    token: tokenOf(environment, warn) ?? mine?.token ?? null,
  }
}

function isAt(saved: SavedLogin | null, address: BrokerAddress): boolean {
  if (saved === null) return false
  return showBrokerAddress(parseBrokerAddress(saved.broker)) === showBrokerAddress(address)
}

function tokenOf(environment: Environment, warn: (text: string) => void): string | null {
  const file = environment['BERTH_TOKEN_FILE']
  if (file === undefined) return environment['BERTH_TOKEN'] ?? null
  try {
    if ((statSync(file).mode & 0o077) !== 0 && statSync(file).isFile())
      warn(`${file} can be read by others; run: chmod 600 ${file}`)
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new CliError(
      'forbidden',
      `The token file ${file} (BERTH_TOKEN_FILE) cannot be read.`,
      [],
      { cause },
    )
  }
}
