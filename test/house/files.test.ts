import { test } from 'tap'
import ts from 'typescript'
import { CODE_FILES, FILES, lineOf, nodesOf, syntaxOf, textOf, TYPESCRIPT_FILES } from './tree.js'

const MOST_LINES = 300
const MOST_FUNCTION_LINES = 40
/** Files that may be longer, with the reason. */
const LONGER: Readonly<Record<string, string>> = {
  'web/language/en.json': 'every text of the pages in one catalogue',
  'web/language/lt.json': 'the same in Lithuanian',
}
const LONGER_FUNCTIONS: Readonly<Record<string, string>> = {
  'broker/broker.ts startBroker': 'the wiring: a line for each part, and nothing is decided in it',
}
/** Python modules are imported by name, so they have underscores. */
const KEBAB = /^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*$/
const SNAKE = /^(__main__|[a-z0-9]+(_[a-z0-9]+)*)\.py$/
const NAMES_OF_PEOPLE_AND_TOOLS = new Set(['README.md', 'CHANGELOG.md', 'LICENSE'])
/** Such a name says nothing of what is in the file. */
const SAYS_NOTHING = /(^|-)(utils?|helpers?|managers?|impl|misc|common-functions)\.ts$/

test('no file of code is longer than it may be', async (t) => {
  for (const file of CODE_FILES.filter((one) => !one.endsWith('.png') && !(one in LONGER))) {
    const lines = textOf(file).split('\n').length - 1
    if (lines >= MOST_LINES)
      t.fail(`${file} has ${lines} lines; fewer than ${MOST_LINES} tell one story`)
  }
})

test('a function fits a screen', async (t) => {
  for (const file of TYPESCRIPT_FILES.filter((one) => !one.endsWith('.test.ts'))) {
    const source = syntaxOf(file)
    for (const node of nodesOf(source)) {
      if (!ts.isFunctionLike(node) || !('body' in node) || !node.body) continue
      const from = lineOf(source, node)
      const to = source.getLineAndCharacterOfPosition(node.end).line + 1
      const name = 'name' in node && node.name ? node.name.getText(source) : ''
      if (`${file} ${name}` in LONGER_FUNCTIONS) continue
      if (to - from + 1 > MOST_FUNCTION_LINES)
        t.fail(`${file}:${from} has a function of ${to - from + 1} lines`)
    }
  }
})

test('names of files are kebab-case and say what is in them', async (t) => {
  for (const file of FILES) {
    const name = file.split('/').at(-1) ?? ''
    const good =
      NAMES_OF_PEOPLE_AND_TOOLS.has(file) ||
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
