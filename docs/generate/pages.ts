import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildProgram } from '../../cli/program.js'
import { reference } from '../../cli/reference.js'
import { ROOT } from '../../test/support/broker-process.js'
import { TABLES } from './tables.js'

const FOLDERS = ['docs/reference', 'docs/architecture'] as const
const COMMAND_LINE = 'docs/reference/cli.md'
const PLACE = /<!-- generated:([a-z-]+) -->\n[^]*?<!-- \/generated -->/g

/**
 * The pages whose generated parts are not those of the code any more, with the text that they
 * should have. Throws for a name that is no table.
 */
export function outdated(): Array<[file: string, text: string]> {
  return pages().flatMap((file): Array<[string, string]> => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    const wanted = file === COMMAND_LINE ? reference(buildProgram()) : filled(text, file)
    return text === wanted ? [] : [[file, wanted]]
  })
}

/** The names of all tables that some page has a place for. */
export function places(): string[] {
  return pages().flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(PLACE)].map(([, name]) => name ?? ''),
  )
}

function pages(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  )
}

function filled(text: string, file: string): string {
  return text.replace(PLACE, (_, name: string) => {
    const table = TABLES[name]
    if (table === undefined) throw new Error(`${file}: ${name} is not a table of docs/generate`)
    return `<!-- generated:${name} -->\n${table()}\n<!-- /generated -->`
  })
}
