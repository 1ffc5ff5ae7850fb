import { readFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { pinOf, type Trust } from '../broker/api/server-identity.js'
import { CliError } from './cli-error.js'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}
const DEFAULT_PORT = 8443

/** Reads `host`, `host:port`, `[ipv6]:port`, or the same as an https:// URL. Throws CliError usage. */
export function parseBrokerAddress(text: string): BrokerAddress {
  const bare = text.replace(/^https:\/\//, '').replace(/\/$/, '')
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9][A-Za-z0-9._-]*))(?::([0-9]{1,5}))?$/.exec(
    bare,
  )
  const port = Number(match?.[3] ?? DEFAULT_PORT)
  if (match === null || port < 1 || port > 65535)
    throw new CliError(
      'usage',
      `"${text}" is not a broker's address; give HOST, HOST:PORT or [IPV6]:PORT.`,
    )
  return { host: match[1] ?? match[2] ?? '', port }
}

/** The one way an address is written, so that two spellings of it are found equal. */
export function showBrokerAddress(address: BrokerAddress): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host.toLowerCase()
  return `${host}:${address.port}`
}

/**
 * Reads whom to trust: `system` (the CAs that this computer trusts), or pins, separated by commas.
 * Throws CliError usage.
 */
export function parseTrust(text: string): Trust {
  return text.trim().toLowerCase() === 'system'
    ? 'system'
    : text.split(',').map((pin) => parsePin(pin.trim()))
}

/** As it is kept in cli.json, and read by `parseTrust`. */
export function showTrust(trust: Trust): string {
  return trust === 'system' ? trust : (trust ?? []).join(',')
}

/**
 * Reads a pin `sha256:HEX` (colons and capitals allowed), or takes it from a PEM file. Gives
 * `sha256:` and 64 small hex digits. Throws CliError usage.
 */
export function parsePin(text: string): string {
  const hex = text
    .replace(/^sha256:/i, '')
    .replaceAll(':', '')
    .toLowerCase()
  if (/^[0-9a-f]{64}$/.test(hex)) return `sha256:${hex}`
  if (text.toLowerCase().startsWith('sha256:'))
    throw new CliError(
      'usage',
      `"${text}" is not a fingerprint; give sha256: and 64 hexadecimal digits, as the broker prints it.`,
    )
  return pinOfFile(text)
}

function pinOfFile(path: string): string {
  try {
    return pinOf(new X509Certificate(readFileSync(path)))
  } catch (cause) {
    throw new CliError(
      'usage',
      `${path} is neither a fingerprint (sha256:…) nor a readable certificate file in PEM.`,
      [],
      { cause },
    )
  }
}
