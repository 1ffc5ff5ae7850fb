import { test } from 'tap'
import { ACCESS } from '../../broker/access.js'
import { outdated, places } from '../../docs/generate/pages.js'
import { routesOfTheApi } from '../../docs/generate/routes.js'
import { TABLES } from '../../docs/generate/tables.js'
import { SETTING_KEYS } from '../../thin-client/settings.js'
import { codeIn, rowsOf } from './documents.js'
import { textOf } from './tree.js'

test('the reference is the one that the code makes', async (t) => {
  t.same(
    outdated().map(([file]) => file),
    [],
    'run "npm run docs"',
  )
  t.same(places().sort(), Object.keys(TABLES).sort(), 'every table has one place')
})

test('every setting of the thin client has a line', async (t) => {
  t.same(
    rowsOf('docs/reference/settings.md', 'thin-client-settings').map(([name]) => codeIn(name)),
    SETTING_KEYS,
  )
})

test('the reference has every route of the API', async (t) => {
  const listed = new Set(routesOfTheApi().map(({ route }) => route))
  const page = textOf('docs/reference/api.md')
  for (const route of Object.keys(ACCESS)) {
    const path = route.split(' ')[1] ?? ''
    const outside = /^\/assets\/|^\/openapi\.json$/.test(path) || page.includes(`| \`${path}\` |`)
    t.ok(listed.has(route) || outside, route)
  }
})
