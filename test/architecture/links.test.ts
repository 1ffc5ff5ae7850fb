import { existsSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'tap'
import { ROOT } from '../support/broker-process.js'
import { FILES, textOf } from './tree.js'

const PAGES = FILES.filter((file) => file.endsWith('.md'))

test('what one document links to in another is there', async (t) => {
  for (const page of PAGES) {
    for (const target of targetsIn(prose(textOf(page)))) {
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : normalize(join(dirname(page), decodeURI(path)))
      if (file.startsWith('..') || !existsSync(join(ROOT, file)))
        t.fail(`${page}: ${target} does not exist`)
      else if (anchor !== undefined && !anchorsOf(file).has(anchor))
        t.fail(`${page}: ${target}: ${file} has no such heading`)
    }
  }
})

test('every page of the documentation can be reached from its index', async (t) => {
  const reached = new Set<string>()
  const follow = (page: string): void => {
    if (reached.has(page)) return
    reached.add(page)
    for (const target of targetsIn(prose(textOf(page)))) {
      const [path = ''] = target.split('#')
      const file = normalize(join(dirname(page), path)).replace(/\/$/, '')
      const next = isFolder(file) ? join(file, 'README.md') : file
      if (PAGES.includes(next)) follow(next)
    }
  }
  follow('docs/README.md')
  for (const page of PAGES.filter((file) => file.startsWith('docs/')))
    t.ok(reached.has(page), `${page} is linked`)
})

/** Without code, in which brackets mean something else. */
function prose(text: string): string {
  return text.replace(/^```[^]*?^```/gm, '').replace(/`[^`\n]*`/g, 'code')
}

/** Links and pictures to files of the project. */
function targetsIn(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target ?? '')
    .filter((target) => !/^[a-z]+:/.test(target))
}

function isFolder(file: string): boolean {
  return existsSync(join(ROOT, file)) && statSync(join(ROOT, file)).isDirectory()
}

/**
 * As GitHub makes them of headings: lower case, hyphens for spaces, other signs left out, a number
 * for a second one of the same name.
 */
function anchorsOf(file: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  const counts = new Map<string, number>()
  for (const [, title = ''] of textOf(file)
    .replace(/^```[^]*?^```/gm, '')
    .matchAll(/^#{1,6} (.*)$/gm)) {
    const anchor = title
      .toLowerCase()
      .replace(/\]\([^)]*\)/g, '')
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
    const count = counts.get(anchor) ?? 0
    counts.set(anchor, count + 1)
    anchors.add(count === 0 ? anchor : `${anchor}-${count}`)
  }
  return anchors
}
