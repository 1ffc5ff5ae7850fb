import { test } from 'tap'
import ts from 'typescript'
import { CODE_FILES, FILES, lineOf, nodesOf, syntaxOf, textOf, TYPESCRIPT_FILES } from './tree.js'

/** Python modules are imported by name, so they have underscores. */
const KEBAB = /^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*$/
const SNAKE = /^(__main__|[a-z0-9]+(_[a-z0-9]+)*)\.py$/
const NAMES_OF_PEOPLE_AND_TOOLS = new Set([
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
])
/** Such a name says nothing of what is in the file. */
const SAYS_NOTHING = /(^|-)(utils?|helpers?|managers?|impl|misc|common-functions)\.ts$/

test('names of files are kebab-case and say what is in them', async (t) => {
  for (const file of FILES) {
    const name = file.split('/').at(-1) ?? ''
    const good =
      NAMES_OF_PEOPLE_AND_TOOLS.has(file) ||
      /^docs\/(.*\/)?README\.md$/.test(file) ||
      KEBAB.test(name) ||
      (file.startsWith('hypervisor-scripts/') && SNAKE.test(name)) ||
      (file.startsWith('systemd/') && /^[a-z-]+\.[a-z]+$/.test(name))
    if (!good) t.fail(`${file} is not kebab-case`)
    if (SAYS_NOTHING.test(name)) t.fail(`${file}: name it after what it does`)
  }
})

test('named exports only, and no any', async (t) => {
  for (const file of TYPESCRIPT_FILES) {
    const source = syntaxOf(file)
    for (const node of nodesOf(source)) {
      const isDefault =
        ts.isExportAssignment(node) ||
        (ts.canHaveModifiers(node) &&
          (ts.getModifiers(node) ?? []).some((one) => one.kind === ts.SyntaxKind.DefaultKeyword))
      // Vite takes its settings as a default export; a declaration says what a library has.
      if (isDefault && file !== 'web/vite.config.ts' && !file.endsWith('.d.ts'))
        t.fail(`${file}:${lineOf(source, node)} has a default export`)
      if (node.kind === ts.SyntaxKind.AnyKeyword) t.fail(`${file}:${lineOf(source, node)} says any`)
    }
  }
})

/** A file that is longer tells several stories: split it where they part. */
const MOST_LINES = 300

test('no file of code is longer than what tells one story', async (t) => {
  for (const file of CODE_FILES.filter((one) => /\.(tsx?|py)$/.test(one))) {
    const lines = textOf(file).split('\n').length - 1
    if (lines > MOST_LINES) t.fail(`${file} has ${lines} lines; ${MOST_LINES} are the most`)
  }
})
