import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../test/support/broker-process.js'
import { markdownTable, type Report } from './report.js'
import { described, type ThisMachine } from './this-machine.js'

/** Puts the report between its marks `<!-- bench:NAME -->` and `<!-- /bench -->`. Throws when the README has no such place. */
export function writeReadme(report: Report, machine: ThisMachine): void {
  const file = join(ROOT, 'README.md')
  writeFileSync(file, withReport(readFileSync(file, 'utf8'), report, machine))
}

/** Pure: the README's text with the new table. */
export function withReport(readme: string, report: Report, machine: ThisMachine): string {
  const begin = `<!-- bench:${report.name} -->`
  const from = readme.indexOf(begin)
  const to = readme.indexOf('<!-- /bench -->', from)
  if (from === -1 || to === -1)
    throw new Error(
      `README.md has no place for ${report.name}: put ${begin} and <!-- /bench --> into it`,
    )
  const text = `\n${markdownTable(report)}\n\n${report.note} Taken ${described(machine)}.\n\n`
  return `${readme.slice(0, from + begin.length)}\n${text.trimStart()}${readme.slice(to)}`
}
