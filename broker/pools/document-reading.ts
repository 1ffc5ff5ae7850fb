import pLimit from 'p-limit'
import { Value } from '@sinclair/typebox/value'
import { Composer, type Document, isMap, isScalar, LineCounter, Parser, visit } from 'yaml'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import { Turn } from '../turn.js'
import { refuseTooMuch } from './document-bounds.js'
import { FORMS, type WantedGrant, type Wanted, take } from './document-forms.js'

const READINGS = pLimit(1)

interface Fault {
  readonly line: number
  readonly message: string
}

/**
 * Reads documents, one after the other; others have their turn in between. Throws `invalid_request`
 * with every fault, each with its line.
 */
export async function readDocuments(yaml: string): Promise<Wanted> {
  refuseTooMuch(yaml)
  return await READINGS(() => read(yaml))
}

async function read(yaml: string): Promise<Wanted> {
  const lines = new LineCounter()
  const lineAt = (offset: number): number => lines.linePos(offset).line
  const composer = new Composer({ prettyErrors: false })
  const malformed: Fault[] = []
  const faults: Fault[] = []
  const wanted: Wanted = { pools: [], machines: [], warnings: [] }
  const turn = new Turn()
  for (const document of composer.compose(new Parser(lines.addNewLine).parse(yaml))) {
    for (const { pos, message } of document.errors)
      malformed.push({ line: lineAt(pos[0]), message })
    if (malformed.length === 0) faults.push(...readDocument(document, lineAt, wanted))
    await turn.passed()
  }
  // Where the text is no YAML, what it means is a guess.
  if (malformed.length > 0) throw documentsRefused(malformed)
  if (faults.length > 0) throw documentsRefused(faults)
  return wanted
}

/** The sentence has the first fault, the details have them all, in the order of their lines. */
export function documentsRefused(faults: readonly Fault[]): BrokerError {
  const sorted = [...faults].sort((a, b) => a.line - b.line)
  const [first] = sorted
  const more = sorted.length - 1
  const where = { line: first?.line ?? 1, fault: (first?.message ?? '').replace(/\.$/, '') }
  const extras = { details: sorted }
  if (more <= 0) return refusal('documents_refused', where, extras)
  return more === 1
    ? refusal('documents_refused_with_one_more', where, extras)
    : refusal('documents_refused_with_more', { ...where, more }, extras)
}

function readDocument(
  document: Document,
  lineAt: (offset: number) => number,
  wanted: Wanted,
): Fault[] {
  const alias = aliasIn(document)
  if (alias !== null)
    return [
      { line: lineAt(alias), message: 'an alias (*) stands for something else: write it out' },
    ] // a few lines of them can mean gigabytes
  const value: unknown = document.toJS()
  if (value === null) return [] // an empty document between two lines of dashes
  const first = lineAt(document.contents?.range?.[0] ?? 0)
  const { apiVersion = '', kind = '' } = (typeof value === 'object' ? value : {}) as {
    apiVersion?: string
    kind?: string
  }
  const form = FORMS[`${String(apiVersion)} ${String(kind)}`]
  if (!form)
    return [
      {
        line: first,
        message:
          `apiVersion "${String(apiVersion)}" with kind "${String(kind)}" is not known: ` +
          `use ${Object.keys(FORMS).join(', or ')}`,
      },
    ]
  const faults = [...Value.Errors(form, value)].map((error): Fault => ({
    line: lineOf(document, error.path, first, lineAt),
    message: `${error.path.slice(1).replaceAll('/', '.') || 'the document'} ${error.message}`,
  }))
  // A value that is of none of several forms is a fault of each of them: the first says enough.
  if (faults.length > 0)
    return faults.filter(
      ({ message }, index) =>
        faults.findIndex((other) => other.message.split(' ')[0] === message.split(' ')[0]) ===
        index,
    )
  take(value, wanted, first)
  return whoFaults(value, (path) => lineOf(document, path, first, lineAt))
}

/** Where the first alias stands, or null. */
function aliasIn(document: Document): number | null {
  let offset: number | null = null
  visit(document, {
    Alias: (_key, node) => {
      offset = node.range?.[0] ?? 0
      return visit.BREAK
    },
  })
  return offset
}

function lineOf(
  document: Document,
  path: string,
  first: number,
  lineAt: (offset: number) => number,
): number {
  const steps = path.split('/').slice(1)
  for (let length = steps.length; length > 0; length -= 1) {
    const parent =
      length === 1 ? document.contents : document.getIn(steps.slice(0, length - 1).map(key), true)
    const pair = isMap(parent)
      ? parent.items.find(
          (item) => isScalar(item.key) && String(item.key.value) === steps[length - 1],
        )
      : undefined
    if (pair && isScalar(pair.key) && pair.key.range) return lineAt(pair.key.range[0])
    const node = document.getIn(steps.slice(0, length).map(key), true) as
      { range?: [number, number, number] } | undefined
    if (node?.range) return lineAt(node.range[0])
  }
  return first
}

function key(step: string): string | number {
  return /^\d+$/.test(step) ? Number(step) : step
}

function whoFaults(value: unknown, line: (path: string) => number): Fault[] {
  const { permissions = [] } = (value as { spec?: { permissions?: WantedGrant[] } }).spec ?? {}
  return permissions.flatMap((one, index) =>
    (one.user === undefined) === (one.role === undefined)
      ? [
          {
            line: line(`/spec/permissions/${index}`),
            message: `spec.permissions.${index} must name a user or a role, one of both`,
          },
        ]
      : [],
  )
}
