import { type BrokerAddress, parseBrokerAddress } from './broker-address.js'

export const DISPLAY_MODES = ['auto', 'existing', 'x', 'wayland'] as const
export type WantedDisplay = (typeof DISPLAY_MODES)[number]

/**
 * Everything that can be set; the same keys in the file, as flags and, with the prefix `berth.`, on
 * the kernel command line.
 */
export interface Settings {
  readonly broker?: BrokerAddress
  /** Fingerprints, `sha256:` and 64 hex digits each, with commas between, or `system`. */
  readonly ca?: string
  readonly display?: WantedDisplay
  readonly stateDirectory?: string
  readonly horizonCommand?: readonly string[]
  readonly rdpArguments?: readonly string[]
  readonly xServerCommand?: readonly string[]
  /** Whether an administrator may restart the device through the broker. */
  readonly remoteReboot?: boolean
}

/** One value as it was written, and where, for the message about it. */
export interface WrittenSetting {
  readonly key: string
  readonly value: string
  readonly place: string
}

type Reading = Settings | { fault: string }

const READERS: Record<string, (value: string) => Reading> = {
  broker: readBroker,
  ca: readFingerprints,
  display: readDisplay,
  'state-dir': (value) =>
    value.startsWith('/') ? { stateDirectory: value } : { fault: 'is not an absolute path' },
  'horizon-command': (value) => withWords(value, (horizonCommand) => ({ horizonCommand })),
  'rdp-arguments': readRdpArguments,
  'x-server-command': (value) => withWords(value, (xServerCommand) => ({ xServerCommand })),
  'remote-reboot': (value) =>
    value === 'yes' || value === 'no'
      ? { remoteReboot: value === 'yes' }
      : { fault: 'is neither yes nor no' },
}

export const SETTING_KEYS = Object.keys(READERS)

/**
 * Takes settings as written, gives their values and one sentence for each fault. The first of two
 * equal keys of one source is kept, the second is a fault.
 */
export function readSettings(written: readonly WrittenSetting[]): {
  settings: Settings
  faults: string[]
} {
  const faults: string[] = []
  const seen = new Set<string>()
  let settings: Settings = {}
  for (const { key, value, place } of written) {
    const reader = Object.hasOwn(READERS, key) ? READERS[key] : undefined
    if (reader === undefined) {
      faults.push(`${place}: "${key}" is not a setting; known are ${SETTING_KEYS.join(', ')}`)
    } else if (seen.has(key)) {
      faults.push(`${place}: "${key}" is set a second time`)
    } else {
      seen.add(key)
      const reading = reader(value)
      if ('fault' in reading) faults.push(`${place}: ${key}: "${value}" ${reading.fault}`)
      else settings = { ...settings, ...reading }
    }
  }
  return { settings, faults }
}

/** The lines of a file such as /etc/berth/thin-client.conf: `key=value`, `#` begins a comment line. */
export function parseConfigurationFile(
  text: string,
  path: string,
): { written: WrittenSetting[]; faults: string[] } {
  const written: WrittenSetting[] = []
  const faults: string[] = []
  text.split(/\r?\n/).forEach((line, index) => {
    const place = `${path} line ${index + 1}`
    const content = line.trim()
    if (content === '' || content.startsWith('#')) return
    const equals = content.indexOf('=')
    if (equals < 1) faults.push(`${place}: "${content}" is not of the form key=value`)
    else
      written.push({
        key: content.slice(0, equals).trim(),
        value: content.slice(equals + 1).trim(),
        place,
      })
  })
  return { written, faults }
}

/**
 * The words of a command, split at spaces; double quotes keep words together. No shell is involved.
 * Gives undefined for an open quote.
 */
export function splitWords(text: string): string[] | undefined {
  const words = text.match(/(?:"[^"]*"|[^\s"])+/g) ?? []
  return (text.match(/"/g) ?? []).length % 2 === 0
    ? words.map((word) => word.replaceAll('"', ''))
    : undefined
}

function withWords(value: string, setting: (words: string[]) => Settings): Reading {
  const words = splitWords(value)
  if (words === undefined) return { fault: 'has a double quote that is not closed' }
  return words.length === 0 ? { fault: 'is empty' } : setting(words)
}

function readRdpArguments(value: string): Reading {
  if (/(^|\s|")[/+-]p:/i.test(value))
    return { fault: 'holds a password, which every process of the device could read' }
  return withWords(value, (rdpArguments) => ({ rdpArguments }))
}

function readBroker(value: string): Reading {
  const broker = parseBrokerAddress(value)
  return broker === undefined ? { fault: 'is not HOST or HOST:PORT' } : { broker }
}

/** One, or several while a CA is exchanged; `system`: the CAs that the device's own system trusts. */
function readFingerprints(value: string): Reading {
  if (value === 'system') return { ca: value }
  const pins = value.split(',').map((pin) => pin.trim().toLowerCase())
  return pins.every((pin) => /^sha256:[0-9a-f]{64}$/.test(pin))
    ? { ca: pins.join(',') }
    : { fault: 'is not "sha256:" and 64 hex digits (several with commas between), or "system"' }
}

function readDisplay(value: string): Reading {
  const display = DISPLAY_MODES.find((mode) => mode === value)
  return display === undefined ? { fault: `is none of ${DISPLAY_MODES.join(', ')}` } : { display }
}
