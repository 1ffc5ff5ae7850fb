import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../test/support/broker-process.js'
import { markdownTable, type Report } from './report.js'
import { described, type ThisMachine } from './this-machine.js'

const PAGE = 'docs/speed.md'

/**
 * Puts the report between its marks `<!-- bench:NAME -->` and `<!-- /bench -->`. Throws when the
 * page has no such place.
 */
export function writePage(report: Report, machine: ThisMachine): void {
  const file = join(ROOT, PAGE)
  writeFileSync(file, withReport(readFileSync(file, 'utf8'), report, machine))
}

/** Pure: the text of the page with the new table. */
export function withReport(page: string, report: Report, machine: ThisMachine): string {
  const begin = `<!-- bench:${report.name} -->`
  const from = page.indexOf(begin)
  const to = page.indexOf('<!-- /bench -->', from)
  if (from === -1 || to === -1)
    throw new Error(
      `${PAGE} has no place for ${report.name}: put ${begin} and <!-- /bench --> into it`,
    )
  const text = `\n${markdownTable(report)}\n\n${report.note} Taken ${described(machine)}.\n\n`
  return `${page.slice(0, from + begin.length)}\n${text.trimStart()}${page.slice(to)}`
}
