import { test } from 'tap'
import { codeIn, rowsOf } from './documents.js'
import { FILES, textOf } from './tree.js'

const PACKAGE = JSON.parse(textOf('package.json')) as {
  scripts: Record<string, string>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}
/** Commands of npm itself. */
const NPM = ['ci', 'prune', 'install']

test('the README can be read in a few minutes', async (t) => {
  t.ok(textOf('README.md').split('\n').length <= 200, 'it has at most 200 lines')
})

test('each library has a line', async (t) => {
  const named = rowsOf('docs/architecture/libraries.md', 'libraries').flatMap(([names]) =>
    codeIn(names).split(', '),
  )
  t.same(named.sort(), Object.keys({ ...PACKAGE.dependencies, ...PACKAGE.devDependencies }).sort())
})

test('npm scripts are documented for contributors, and those that any page names exist', async (t) => {
  for (const page of FILES.filter((file) => file.endsWith('.md') && file !== 'CHANGELOG.md')) {
    for (const name of scriptsIn(page))
      t.ok(name in PACKAGE.scripts, `${page} names npm run ${name}, which package.json has not`)
  }
  const named = scriptsIn('CONTRIBUTING.md')
  for (const name of Object.keys(PACKAGE.scripts))
    t.ok(named.includes(name), `${name} is in CONTRIBUTING.md`)
})

/** `npm test`, `npm run demo`: where they stand as code. */
function scriptsIn(page: string): string[] {
  return [...textOf(page).matchAll(/(?<=^|`|&& )npm (?:run )?([a-z]+)/gm)]
    .map(([, name]) => name ?? '')
    .filter((name) => !NPM.includes(name))
}

test('the picture of the architecture shows every folder of the broker', async (t) => {
  const folders = new Set(
    FILES.filter((file) => /^broker\/[^/]+\//.test(file)).map((file) => file.split('/')[1] ?? ''),
  )
  for (const folder of folders)
    t.match(
      textOf('docs/architecture/overview.md'),
      new RegExp(`^  ${folder}/ `, 'm'),
      `${folder} is in the picture of the tree`,
    )
})

test('every benchmark has a place for its table', async (t) => {
  const [, list = ''] =
    /MEASUREMENTS[^{]*\{([^}]*)\}/.exec(textOf('bench/main.ts').split('= {').join('={')) ?? []
  const names = [...list.matchAll(/(\w+): measure/g)].map(([, name]) => name ?? '')
  t.ok(names.length > 0, 'bench/main.ts has measurements')
  for (const name of names)
    t.match(
      textOf('docs/speed.md'),
      new RegExp(`<!-- bench:${name} -->[^]*?<!-- /bench -->`),
      `${name} has its place`,
    )
})
