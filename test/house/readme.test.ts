import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { PoolPolicy } from '../../broker/api/pools.js'
import { SETTINGS } from '../../broker/config.js'
import { LOGIN_SETTINGS } from '../../broker/login-settings.js'
import { ERRORS } from '../../broker/errors.js'
import { EXIT_CODES } from '../../cli/exit-codes.js'
import { SETTING_KEYS } from '../../thin-client/settings.js'
import { ROOT } from '../support/broker-process.js'
import { FILES, textOf } from './tree.js'

const README = textOf('README.md')
const PACKAGE = JSON.parse(textOf('package.json')) as {
  scripts: Record<string, string>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

/** The rows of the table between `<!-- NAME -->` and `<!-- /NAME -->`, without its heading. */
function rowsOf(name: string): string[][] {
  const [, text = ''] = README.split(new RegExp(`<!-- /?${name} -->`))
  return text
    .trim()
    .split('\n')
    .slice(2)
    .map((line) => line.replace(/^\| ?| ?\|$/g, '').split(/ ?(?<!\\)\| /))
}

function codeIn(cell: string | undefined): string {
  return (cell ?? '').replaceAll('`', '')
}

test('the tables of the README are those of the code', async (t) => {
  t.same(
    rowsOf('settings'),
    SETTINGS.map(({ name, default: value, meaning }) => [`\`${name}\``, `\`${value}\``, meaning]),
    'settings of the broker',
  )
  for (const [name, schema] of Object.entries(LOGIN_SETTINGS)) {
    const rows = Object.entries(
      schema.properties as Record<string, { default?: unknown; description?: string }>,
    ).map(([key, { default: value, description }]) => [
      `\`${key}\``,
      value === undefined ? 'needed' : `\`${JSON.stringify(value)}\``,
      (description ?? '').replaceAll('|', '\\|'),
    ])
    t.same(rowsOf(`settings:${name}`), rows, `settings in ${name}`)
  }
  t.same(
    rowsOf('errors'),
    Object.entries(ERRORS).map(([code, { status, meaning }]) => [
      `\`${code}\``,
      String(status),
      meaning,
    ]),
    'errors',
  )
  t.same(
    rowsOf('exit-codes'),
    Object.values(EXIT_CODES).map(({ code, meaning }) => [String(code), meaning]),
    'exit codes',
  )
  t.same(
    rowsOf('pool-policy'),
    Object.entries(PoolPolicy.properties).map(
      ([field, { default: value, description }]: [
        string,
        { default?: unknown; description?: string },
      ]) => [`\`${field}\``, `\`${JSON.stringify(value).replaceAll('"', '')}\``, description],
    ),
    'policy of a pool',
  )
  t.same(
    rowsOf('thin-client-settings').map(([name]) => codeIn(name)),
    SETTING_KEYS,
    'settings of the thin client',
  )
})

test('each library has a line', async (t) => {
  const named = rowsOf('libraries').flatMap(([names]) => codeIn(names).split(', '))
  t.same(named.sort(), Object.keys({ ...PACKAGE.dependencies, ...PACKAGE.devDependencies }).sort())
})

test('npm scripts are in the README, and those in the README exist', async (t) => {
  const named = new Set(
    [...README.matchAll(/npm (?:run )?([a-z]+)/g)]
      .map(([, name]) => name ?? '')
      .filter((name) => !['ci', 'prune', 'install'].includes(name)),
  )
  const scripts = new Set(Object.keys(PACKAGE.scripts))
  for (const name of named)
    if (!scripts.has(name) && !/^(for|s|packages)$/.test(name))
      t.fail(`the README names npm run ${name}, which package.json has not`)
  for (const name of scripts) t.ok(named.has(name), `${name} is in the README`)
})

test('files and headings that the README names exist', async (t) => {
  const headings = new Set(
    [...README.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      (title ?? '')
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
  for (const [, target = ''] of README.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith('https://')) continue
    if (target.startsWith('#')) t.ok(headings.has(target.slice(1)), `${target} is a heading`)
    else t.ok(existsSync(join(ROOT, target)), `${target} exists`)
  }
})

test('the README shows every folder of the broker', async (t) => {
  const folders = new Set(
    FILES.filter((file) => /^broker\/[^/]+\//.test(file)).map((file) => file.split('/')[1] ?? ''),
  )
  for (const folder of folders)
    t.match(README, new RegExp(`^  ${folder}/ `, 'm'), `${folder} is in the picture of the tree`)
})

test('every benchmark has a place for its table', async (t) => {
  const [, list = ''] =
    /MEASUREMENTS[^{]*\{([^}]*)\}/.exec(textOf('bench/main.ts').split('= {').join('={')) ?? []
  const names = [...list.matchAll(/(\w+): measure/g)].map(([, name]) => name ?? '')
  t.ok(names.length > 0, 'bench/main.ts has measurements')
  for (const name of names)
    t.match(
      README,
      new RegExp(`<!-- bench:${name} -->[^]*?<!-- /bench -->`),
      `${name} has its place`,
    )
})
