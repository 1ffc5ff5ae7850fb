import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser'

/** An element: attributes as `@_name`, text as `#text`, children by name. */
export type XmlNode = Record<string, unknown>
export interface XmlFault {
  readonly line: number
  readonly column: number
  readonly message: string
}

const DEEPEST = 64
const PREDEFINED: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
}

const builder = new XMLBuilder({ ignoreAttributes: false, format: true, suppressEmptyNode: true })

export function buildXml(document: XmlNode): string {
  return builder.build(document)
}

/**
 * Parses a document; elements named in `lists` are always arrays. Gives the tree, or the first
 * fault with its place. Declarations are refused before the parser sees the text (they could define
 * entities that grow without bound or read files), and so is deep nesting. `positions`: every
 * element carries its offset under the symbol `XMLParser.getMetaDataSymbol()`, see `offsetOf`.
 */
export function parseXml(
  text: string,
  lists: readonly string[],
  options: { positions?: boolean } = {},
): { root: XmlNode } | { fault: XmlFault } {
  const fault = faultIn(text)
  if (fault) return { fault }
  const parser = new XMLParser({
    ignoreAttributes: false,
    parseAttributeValue: false,
    parseTagValue: false,
    trimValues: true,
    ignoreDeclaration: true,
    ignorePiTags: true,
    processEntities: false,
    isArray: (name) => lists.includes(name),
    captureMetaData: options.positions ?? false,
    alwaysCreateTextNode: options.positions ?? false,
    tagValueProcessor: (_name, value) => decode(value),
    attributeValueProcessor: (_name, value) => decode(value),
  })
  return { root: parser.parse(text) as XmlNode }
}

const POSITION = XMLParser.getMetaDataSymbol() as unknown as symbol

/** Where the element starts in the text, when it was parsed with positions. */
export function offsetOf(node: XmlNode): number {
  return (
    ((node as Record<symbol, unknown>)[POSITION] as { startIndex?: number } | undefined)
      ?.startIndex ?? 0
  )
}

/** Line and column, both from 1. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset)
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
}

/** The same for many offsets: the lines are counted once. */
export function placesIn(text: string): (offset: number) => { line: number; column: number } {
  let starts: number[] | undefined
  return (offset) => {
    starts ??= lineStarts(text)
    let [low, high] = [0, starts.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

/** The first fault of a text, or null when it may be parsed. */
export function faultIn(text: string): XmlFault | null {
  return dangerIn(text) ?? malformation(text)
}

function dangerIn(text: string): XmlFault | null {
  const declaration = /<!(DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)/i.exec(text)
  if (declaration)
    return {
      ...placeOf(text, declaration.index),
      message: `a ${declaration[1]?.toUpperCase()} declaration is not accepted: remove it`,
    }
  let depth = 0
  for (const tag of text.matchAll(/<(\/?)[A-Za-z][^<>]*?(\/?)>/g)) {
    depth += tag[1] === '/' ? -1 : tag[2] === '/' ? 0 : 1
    if (depth > DEEPEST)
      return { ...placeOf(text, tag.index), message: `elements are nested deeper than ${DEEPEST}` }
  }
  return null
}

function malformation(text: string): XmlFault | null {
  const result = XMLValidator.validate(text)
  if (result === true) return null
  return {
    line: result.err.line,
    column: result.err.col,
    message: result.err.msg.replace(/\.$/, ''),
  }
}

/**
 * The nodes of a text without faults, in their order, as fast-xml-parser gives them: a name with
 * its children, attributes under ":@".
 */
export function parseOrdered(text: string): Array<Record<string, unknown>> {
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseAttributeValue: false,
    parseTagValue: false,
    trimValues: false,
    ignoreDeclaration: true,
    ignorePiTags: true,
    processEntities: false,
    tagValueProcessor: (_name, value) => decode(value),
    attributeValueProcessor: (_name, value) => decode(value),
  })
  return parser.parse(text) as Array<Record<string, unknown>>
}

function decode(value: string): string {
  return value.replace(
    /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/g,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return PREDEFINED[name] ?? whole
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole
    },
  )
}

export function nodeOf(value: unknown): XmlNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as XmlNode)
    : {}
}
export function nodesOf(value: unknown): XmlNode[] {
  return (Array.isArray(value) ? value : value === undefined ? [] : [value]).map((item) =>
    typeof item === 'object' && item !== null ? (item as XmlNode) : { '#text': item },
  )
}

/** The text of an element or attribute; empty when it is absent. */
export function textOf(value: unknown): string {
  const bare = typeof value === 'object' && value !== null ? (value as XmlNode)['#text'] : value
  return bare === undefined || bare === null ? '' : String(bare)
}
