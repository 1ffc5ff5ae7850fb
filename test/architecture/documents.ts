import { textOf } from './tree.js'

/** The rows of the table between `<!-- NAME -->` and `<!-- /NAME -->` of a page, without its heading. */
export function rowsOf(page: string, name: string): string[][] {
  const [, text = ''] = textOf(page).split(new RegExp(`<!-- /?${name} -->`))
  return text
    .trim()
    .split('\n')
    .slice(2)
    .map((line) => line.replace(/^\| ?| ?\|$/g, '').split(/ ?(?<!\\)\| /))
}

export function codeIn(cell: string | undefined): string {
  return (cell ?? '').replaceAll('`', '')
}
