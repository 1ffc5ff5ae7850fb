import { faultIn, parseOrdered, type XmlFault } from './xml.js'

/**
 * An element with everything in the order in which it was written, so that what nobody changes is
 * written again as it was.
 */
export interface XmlElement {
  readonly name: string
  attributes: Record<string, string>
  children: Array<XmlElement | string>
}

type Ordered = Record<string, unknown>
const ATTRIBUTES = ':@'
const TEXT = '#text'

/**
 * It is parsed in one go, which takes some microseconds for each; a domain has a few hundred. Tags,
 * references and attributes together.
 */
const MOST_MARKS = 10_000

/**
 * Parses one document; comments are left out. Refuses what `parseXml` refuses, and a document with
 * more in it than any domain has.
 */
export function parseTree(text: string): { root: XmlElement } | { fault: XmlFault } {
  if ((text.match(/[<&=]/g)?.length ?? 0) > MOST_MARKS)
    return {
      fault: {
        line: 1,
        column: 1,
        message: `the document has more than ${MOST_MARKS} tags and attributes`,
      },
    }
  const fault = faultIn(text)
  if (fault) return { fault }
  const [root] = parseOrdered(text)
    .filter((node) => !(TEXT in node))
    .map(toElement)
  return root ? { root } : { fault: { line: 1, column: 1, message: 'the document has no element' } }
}

function toElement(node: Ordered): XmlElement {
  const name = Object.keys(node).find((key) => key !== ATTRIBUTES) ?? ''
  return {
    name,
    attributes: { ...(node[ATTRIBUTES] as Record<string, string> | undefined) },
    children: (node[name] as Ordered[]).map((child) =>
      TEXT in child ? String(child[TEXT]) : toElement(child),
    ),
  }
}

export function writeTree({ name, attributes, children }: XmlElement): string {
  const head = [
    name,
    ...Object.entries(attributes).map(([key, value]) => `${key}="${escape(value)}"`),
  ].join(' ')
  if (children.length === 0) return `<${head}/>`
  const inner = children.map((child) =>
    typeof child === 'string' ? escape(child, false) : writeTree(child),
  )
  return `<${head}>${inner.join('')}</${name}>`
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
  '\n': '&#10;',
  '\t': '&#9;',
}
function escape(value: string, attribute = true): string {
  return value.replace(attribute ? /[&<>"\r\n\t]/g : /[&<>\r]/g, (char) => ESCAPES[char] ?? char)
}

export function element(
  name: string,
  attributes: Record<string, string> = {},
  children: Array<XmlElement | string> = [],
): XmlElement {
  return { name, attributes, children }
}

export function elementsOf(parent: XmlElement | undefined, name?: string): XmlElement[] {
  return (parent?.children ?? []).filter(
    (child): child is XmlElement =>
      typeof child !== 'string' && (name === undefined || child.name === name),
  )
}

/** The first element along a path of names. */
export function at(parent: XmlElement | undefined, ...path: string[]): XmlElement | undefined {
  return path.reduce((found, name) => elementsOf(found, name)[0], parent)
}

export function attribute(parent: XmlElement | undefined, name: string): string {
  return parent?.attributes[name] ?? ''
}

export function textIn(parent: XmlElement | undefined): string {
  return (parent?.children ?? [])
    .filter((child) => typeof child === 'string')
    .join('')
    .trim()
}

/** The first child of that name; it is made when there is none. */
export function ensure(parent: XmlElement, name: string): XmlElement {
  const known = at(parent, name)
  if (known) return known
  const made = element(name)
  parent.children.push(made)
  return made
}

/** Sets the text of a child, and leaves it untouched when it says that already. */
export function setText(parent: XmlElement, name: string, text: string): void {
  const child = ensure(parent, name)
  if (textIn(child) !== text || elementsOf(child).length > 0) child.children = [text]
}

export function remove(parent: XmlElement, which: (child: XmlElement) => boolean): void {
  parent.children = parent.children.filter((child) => typeof child === 'string' || !which(child))
}
