import pLimit from 'p-limit'
import { Turn } from '../turn.js'
import { faultIn, placeOf, type XmlFault } from '../xml/xml.js'
import type { FoundFault } from './clients-faults.js'
import type { ClientEntry, FoundEntry } from './clients-entry.js'
import { Reader } from './clients-elements.js'
import {
  assembled,
  parseClientsXml,
  type ParsedClients,
  refuseTooMuch,
  rootOf,
} from './clients-xml.js'

/** So many elements are parsed together. */
const AT_ONCE = 50
/** Tags, references and attributes: each takes some microseconds. */
const MARKS = /[<&=]/g
/** Those of a text that is parsed in one go, and of one element of a text that is not. */
const MOST_AT_ONCE = 30_000
const MOST_IN_ONE = 1_000
const OPENING = '<thin-clients>'
const BEGIN = /\uFEFF?\s*(?:<\?xml[^<>?]*\?>\s*)?/y
const ROOT_BEGIN = /<thin-clients\s*>/y
const ROOT_END = /<\/thin-clients\s*>/y
const BETWEEN = /(?:\s+|<!--(?:(?!--)[^])*-->)*/y
const ELEMENT_BEGIN = /<(client|default)(?:\s[^<>]*)?(\/?)>/y
/** A comment, the end of an element, or what may hide that or is refused anyway. */
const UNUSUAL_OR_END = /<!--|<[!?]|<\/(?:client|default)>/g
const DECLARATION = /<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)/i

type Kind = 'client' | 'default'

/** An element of `<thin-clients>` as it stands in the text. */
interface Part {
  readonly kind: Kind
  readonly from: number
  readonly to: number
}

interface Known {
  readonly kind: Kind
  readonly entry: ClientEntry
}

interface Found {
  readonly clients: FoundEntry[]
  readonly defaults: FoundEntry[]
  readonly faults: FoundFault[]
}

export interface ReadingOptions {
  readonly machineExists: (name: string) => boolean
  readonly horizonServer: string
}

/**
 * Reads clients.xml as `parseClientsXml` does, but element by element, in turns of a few
 * milliseconds, and only the elements that it has not seen before: of ten thousand clients one is
 * changed at a time. A text whose elements cannot be told from each other at first sight, or that
 * is malformed, is parsed as a whole, which nobody else should have to wait for: a long one of
 * those is refused.
 */
export class ClientsReading {
  /** Elements without fault by their text, of the last files. */
  #known = new Map<string, Known>()
  readonly #readings = pLimit(1)
  /** How many elements were parsed. */
  parsed = 0

  async read(text: string, options: ReadingOptions): Promise<ParsedClients> {
    return refuseTooMuch(text) ?? (await this.#readings(() => this.#readWhole(text, options)))
  }

  async #readWhole(text: string, options: ReadingOptions): Promise<ParsedClients> {
    const turn = new Turn()
    const { parts, end } = await partsOf(text, turn)
    const found = end === null ? await this.#read(text, parts, options, turn) : null
    await turn.next()
    return found === null
      ? await readAtOnce(text, end ?? 0, options, turn)
      : assembled(text, found, found.faults)
  }

  async #read(
    text: string,
    parts: readonly Part[],
    options: ReadingOptions,
    turn: Turn,
  ): Promise<Found | null> {
    const found: Found = { clients: [], defaults: [], faults: [] }
    const known = new Map<string, Known>()
    for (let at = 0; at < parts.length;) {
      const run = this.#unknownFrom(text, parts, at, options)
      if (run.length > 0 && !this.#parse(text, run, options, found, known)) return null
      const part = parts[at]
      if (run.length === 0 && part) this.#repeat(text, part, found, known)
      at += Math.max(1, run.length)
      await turn.passed()
    }
    this.#known = known
    return found
  }

  /** The next elements that have to be parsed, as far as they follow one another. */
  #unknownFrom(
    text: string,
    parts: readonly Part[],
    from: number,
    { machineExists }: ReadingOptions,
  ): readonly Part[] {
    let to = from
    for (; to < parts.length && to < from + AT_ONCE; to += 1) {
      const part = parts[to]
      const known = part && this.#known.get(text.slice(part.from, part.to))
      // Whether its machines exist may have changed.
      if (known && hasItsMachines(known.entry, machineExists)) break
    }
    return parts.slice(from, to)
  }

  #repeat(text: string, { from, to }: Part, found: Found, known: Map<string, Known>): void {
    const words = text.slice(from, to)
    const one = this.#known.get(words)
    if (!one) return
    known.set(words, one)
    const entries = one.kind === 'client' ? found.clients : found.defaults
    entries.push({ entry: one.entry, offset: from })
  }

  /** Gives false when the text is to be parsed as a whole. */
  #parse(
    text: string,
    run: readonly Part[],
    { machineExists, horizonServer }: ReadingOptions,
    found: Found,
    known: Map<string, Known>,
  ): boolean {
    const [first, last] = [run[0], run.at(-1)]
    if (!first || !last) return true
    const root = rootOf(`${OPENING}${text.slice(first.from, last.to)}</thin-clients>`)
    if ('faults' in root) return false
    const reader = new Reader(machineExists, horizonServer)
    const { clients, defaults } = reader.read(root.root)
    this.parsed += run.length
    const moved = ({ entry, offset }: FoundEntry): FoundEntry => ({
      entry,
      offset: offset - OPENING.length + first.from,
    })
    const read = { client: clients.map(moved), default: defaults.map(moved) }
    for (const kind of ['client', 'default'] as const) {
      const meant = run.filter((part) => part.kind === kind)
      if (meant.length !== read[kind].length) return false
      if (reader.faults.length > 0) continue
      meant.forEach(({ from, to }, index) => {
        const entry = read[kind][index]?.entry
        if (entry) known.set(text.slice(from, to), { kind, entry })
      })
    }
    // Only the first <default> of a text is looked into.
    if (defaults.length > 1 || (defaults.length === 1 && found.defaults.length > 0)) return false
    found.clients.push(...read.client)
    found.defaults.push(...read.default)
    for (const fault of reader.faults)
      found.faults.push({ ...fault, offset: fault.offset - OPENING.length + first.from })
    return true
  }
}

function hasItsMachines({ targets }: ClientEntry, exists: (name: string) => boolean): boolean {
  return targets.every((target) => target.protocol !== 'spice' || exists(target.machine))
}

/** `unusualAt`: up to where its elements could be told from each other. */
async function readAtOnce(
  text: string,
  unusualAt: number,
  options: ReadingOptions,
  turn: Turn,
): Promise<ParsedClients> {
  const fault = faultIn(text)
  if (fault) return refused(fault)
  await turn.next()
  return count(text, MARKS) > MOST_AT_ONCE
    ? refused({
        ...placeOf(text, unusualAt),
        message:
          'from here on the elements cannot be read one by one, and together they are too many ' +
          `(${MOST_AT_ONCE} tags and attributes): <thin-clients> has <client>, <default> and ` +
          'comments',
      })
    : parseClientsXml(text, options.machineExists, options)
}

function refused(fault: XmlFault): ParsedClients {
  return { file: null, faults: [{ ...fault, severity: 'error' }] }
}

function count(text: string, what: RegExp): number {
  return text.match(what)?.length ?? 0
}

/** The elements of a text that has nothing unusual about it; `end`: where something unusual begins, null: nowhere. */
async function partsOf(
  text: string,
  turn: Turn,
): Promise<{ readonly parts: Part[]; readonly end: number | null }> {
  const parts: Part[] = []
  if (DECLARATION.test(text)) return { parts, end: 0 }
  const rootAt = pastBetween(text, matched(BEGIN, text, 0)?.end ?? 0)
  const root = matched(ROOT_BEGIN, text, rootAt)
  if (!root) return { parts, end: rootAt }
  let at = pastBetween(text, root.end)
  for (;;) {
    const begin = matched(ELEMENT_BEGIN, text, at)
    if (!begin) break
    const part = partAt(text, at, begin)
    if (part === null) return { parts, end: at }
    parts.push(part)
    at = pastBetween(text, part.to)
    await turn.passed()
  }
  const end = matched(ROOT_END, text, at)
  const isWhole = end !== null && pastBetween(text, end.end) === text.length
  return { parts, end: isWhole ? null : at }
}

/** Null: it does not end, or has so much in it that it is unusual. */
function partAt(
  text: string,
  from: number,
  { groups: [, kind = '', slash], end }: NonNullable<ReturnType<typeof matched>>,
): Part | null {
  const to = slash === '/' ? end : endOf(text, kind, end)
  if (to === null || count(text.slice(from, to), MARKS) > MOST_IN_ONE) return null
  return { kind: kind === 'client' ? 'client' : 'default', from, to }
}

/** Where the next element begins: past white space and comments. */
function pastBetween(text: string, at: number): number {
  return matched(BETWEEN, text, at)?.end ?? at
}

/** Where the element ends; null: it does not, or holds what is unusual. An end that stands in a comment is none. */
function endOf(text: string, kind: string, from: number): number | null {
  const closing = `</${kind}>`
  for (let at = from; ;) {
    UNUSUAL_OR_END.lastIndex = at
    const found = UNUSUAL_OR_END.exec(text)
    if (!found) return null
    if (found[0] === closing) return found.index + closing.length
    if (found[0] !== '<!--') return null
    const over = text.indexOf('-->', found.index + '<!--'.length)
    if (over === -1) return null
    at = over + '-->'.length
  }
}

function matched(
  pattern: RegExp,
  text: string,
  at: number,
): { end: number; groups: RegExpExecArray } | null {
  pattern.lastIndex = at
  const groups = pattern.exec(text)
  return groups && { end: at + groups[0].length, groups }
}
