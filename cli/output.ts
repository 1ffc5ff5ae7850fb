import Table from 'cli-table3'
import { Document, Scalar, visit } from 'yaml'
import { escapeForTerminal, isDangerous, plainLine, plainText } from './plain-text.js'

export const OUTPUT_FORMATS = ['table', 'json', 'yaml'] as const
export type OutputFormat = (typeof OUTPUT_FORMATS)[number]
export type Column<T> = readonly [title: string, cell: (item: T) => string | number | null]

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

/** A table without lines: it can be read, and cut by columns. Every cell is made safe for a terminal. */
export function tableOf<T>(columns: ReadonlyArray<Column<T>>, items: readonly T[]): string {
  return layOut([
    columns.map(([title]) => title),
    ...items.map((item) => columns.map(([, cell]) => shown(cell(item)))),
  ])
}

/** One thing, a field a line. */
export function fieldsOf<T>(columns: ReadonlyArray<Column<T>>, item: T): string {
  return layOut(columns.map(([title, cell]) => [`${title}:`, shown(cell(item))]))
}

function shown(cell: string | number | null): string {
  return cell === null || cell === '' ? '-' : plainLine(String(cell))
}

function layOut(rows: string[][]): string {
  const table = new Table({
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  table.push(...rows)
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

export function jsonOf(value: unknown): string {
  return escapeForTerminal(JSON.stringify(value, null, 2))
}

/** Strings with control characters are written in double quotes, where YAML has escapes for them. */
export function yamlOf(value: unknown): string {
  const document = new Document(value)
  visit(document, {
    Scalar: (_key, node) => {
      if (typeof node.value === 'string' && isDangerous(node.value)) node.type = Scalar.QUOTE_DOUBLE
    },
  })
  return escapeForTerminal(document.toString({ lineWidth: 0 }).trimEnd())
}

/**
 * Writes a command's result: the API's object as it is, or `table` for people. Everything else goes
 * to standard error.
 */
export class Output {
  constructor(
    readonly format: OutputFormat,
    readonly stdout: NodeJS.WriteStream,
  ) {}

  show(value: unknown, table: () => string): void {
    if (this.format === 'json') this.line(jsonOf(value))
    else if (this.format === 'yaml') this.line(yamlOf(value))
    else this.line(table())
  }

  list<T>(value: unknown, columns: ReadonlyArray<Column<T>>, items: readonly T[]): void {
    this.show(value, () => tableOf(columns, items))
  }

  /** Contents such as XML: untouched into a file or pipe, made safe on a terminal. */
  raw(text: string): void {
    const whole = text.endsWith('\n') ? text : `${text}\n`
    this.stdout.write(this.stdout.isTTY ? plainText(whole) : whole)
  }

  line(text: string): void {
    this.stdout.write(`${text}\n`)
  }
}
