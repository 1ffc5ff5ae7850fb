import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../support/broker-process.js'
import { ROWS } from './destructive-rows.js'
import { walkOperations } from './destructive-walk.js'

t.setTimeout(900_000)

t.test('the list of destructive operations is the one that is walked', async (t) => {
  const text = readFileSync(join(ROOT, 'docs/reference/destructive-operations.md'), 'utf8')
  const documented = [...text.matchAll(/^\| `(\w+)` +\|/gm)].map(([, name]) => name)
  t.same(documented.sort(), Object.keys(ROWS).sort())
})

walkOperations(Object.keys(ROWS).slice(0, 12))
