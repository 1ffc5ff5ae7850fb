import type { Fault } from '../api/clients-xml.js'
import { nodesOf, parseXml, placesIn, type XmlNode } from '../xml/xml.js'
import type { ClientEntry, FoundEntries, FoundEntry } from './clients-entry.js'
import { Reader } from './clients-elements.js'
import { type FoundFault, told } from './clients-faults.js'

export interface ClientsFile {
  readonly clients: readonly ClientEntry[]
  readonly fallback: ClientEntry | null
}
export interface ParsedClients {
  readonly file: ClientsFile | null
  readonly faults: Fault[]
}

const LISTS = [
  'client',
  'target',
  'default',
  'viewer',
  'protocol',
  'machine-name',
  'machine-rdp-address',
  'pool',
  'desktop-pool',
] as const
const LARGEST_BYTES = 1_048_576
/** Ten thousand clients with a target each have about 80,000 tags. Both are counted before anything is parsed. */
const MOST_TAGS = 120_000
const MOST_ATTRIBUTES = 40_000
/**
 * Reads clients.xml, the classic form included: `<thin-clients><client
 * ip="…"><protocol>SPICE</protocol><machine-name>…</machine-name></client></thin-clients>`. Gives
 * every fault of meaning, or the first malformation, with line and column. With an error `file` is
 * null; warnings alone do not refuse it.
 */
export function parseClientsXml(
  text: string,
  machineExists: (name: string) => boolean,
  options: { horizonServer: string },
): ParsedClients {
  const tooMuch = refuseTooMuch(text)
  if (tooMuch) return tooMuch
  const root = rootOf(text)
  if ('faults' in root) return root
  const reader = new Reader(machineExists, options.horizonServer)
  return assembled(text, reader.read(root.root), reader.faults)
}

/** The refusal of a file that is not looked into at all. */
export function refuseTooMuch(text: string): ParsedClients | null {
  if (Buffer.byteLength(text) > LARGEST_BYTES)
    return refused(1, 1, `the file is larger than ${LARGEST_BYTES} bytes`)
  if (count(text, '<') > MOST_TAGS || count(text, '=') > MOST_ATTRIBUTES)
    return refused(
      1,
      1,
      `the file has more than ${MOST_TAGS} tags or ${MOST_ATTRIBUTES} attributes`,
    )
  return null
}

/** The content of `<thin-clients>`, or why there is none. */
export function rootOf(text: string): { root: XmlNode } | ParsedClients {
  const parsed = parseXml(text, LISTS, { positions: true })
  if ('fault' in parsed)
    return refused(parsed.fault.line, parsed.fault.column, parsed.fault.message)
  const roots = Object.keys(parsed.root).filter(
    (name) => !name.startsWith('?') && !name.startsWith('#'),
  )
  if (roots.length !== 1 || roots[0] !== 'thin-clients')
    return refused(1, 1, `the root element must be <thin-clients>, not <${roots[0] ?? 'nothing'}>`)
  return { root: nodesOf(parsed.root['thin-clients'])[0] ?? {} }
}

/** Puts together what was found in the parts of a text. */
export function assembled(
  text: string,
  { clients, defaults }: FoundEntries,
  found: readonly FoundFault[],
): ParsedClients {
  const faults = [...found]
  const unique = withoutDuplicates(clients, faults)
  if (defaults[1])
    faults.push({
      offset: defaults[1].offset,
      message: 'there is more than one <default>',
      severity: 'error',
    })
  const bad = faults.some((fault) => fault.severity === 'error')
  const placeAt = placesIn(text)
  return {
    file: bad ? null : { clients: unique, fallback: defaults[0]?.entry ?? null },
    faults: told(faults).map(({ offset, message, severity }) => ({
      ...placeAt(offset),
      message,
      severity,
    })),
  }
}

/** In a classic file the last one of several clients with one address won; so it does here, with a warning. */
function withoutDuplicates(found: readonly FoundEntry[], faults: FoundFault[]): ClientEntry[] {
  const byKey = new Map<string, ClientEntry>()
  found.forEach(({ entry, offset }, index) => {
    const key = [entry.mac, entry.ip, entry.cidr?.join('/') ?? null, entry.hostname].join('|')
    const named = key.replace(/\|/g, '') !== ''
    if (named && byKey.has(key))
      faults.push({
        offset,
        message:
          `${[entry.mac, entry.ip, entry.cidr?.join('/'), entry.hostname].filter(Boolean).join(' ')} ` +
          'stands here a second time: this last one is used',
        severity: 'warning',
      })
    byKey.set(named ? key : `nobody ${index}`, entry)
  })
  return [...byKey.values()]
}

function count(text: string, character: string): number {
  let found = 0
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) found++
  return found
}

function refused(line: number, column: number, message: string): ParsedClients {
  return { file: null, faults: [{ line, column, message, severity: 'error' }] }
}
