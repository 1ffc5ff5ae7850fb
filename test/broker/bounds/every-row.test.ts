import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ROOT } from '../../support/broker-process.js'
import { CONNECTIONS } from './bounds-of-connections.js'
import { DEVICES } from './bounds-of-devices.js'
import { PEOPLE } from './bounds-of-people.js'
import { REQUESTS } from './bounds-of-requests.js'
import { type BoundRows, loopDelay } from './crowded-broker.js'

// Every bound of docs/reference/bounds.md is reached, from outside where that is possible, and
// nobody else notices: the broker's event loop goes on.
const LOOP_P99_MS = 100
const LOOP_MAX_MS = 1_000
t.setTimeout(840_000)

/** A row of the document that has nothing here fails the test. */
const ROWS: BoundRows = { ...CONNECTIONS, ...PEOPLE, ...REQUESTS, ...DEVICES }

const documented = readFileSync(join(ROOT, 'docs/reference/bounds.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| what | bound '))
  .map((line) => (line.split('|')[1] ?? '').trim())

t.test('every bound of the document is driven here', (t) => {
  t.same([...documented].sort(), Object.keys(ROWS).sort())
  t.end()
})

/** These wait most of their time, so they do it side by side, and beside them nothing else. */
const SLOW = [
  'time of a TLS handshake',
  'time until a request has come in',
  'silent connections of the console proxy',
]

t.test(SLOW.join(', '), async (t) => {
  await loopDelay()
  await Promise.all(SLOW.map(async (row) => await ROWS[row]?.(t)))
  await requireLoop(t)
})

t.test('all others, one after the other', async (t) => {
  await loopDelay()
  for (const [row, drive] of Object.entries(ROWS).filter(([row]) => !SLOW.includes(row)))
    await t.test(row, drive)
  await requireLoop(t)
})

/** Over the whole stretch: of the hundred samples of a second, a p99 says no more than the one longest turn. */
async function requireLoop(t: Test): Promise<void> {
  const { p99, max } = await loopDelay()
  t.ok(p99 < LOOP_P99_MS, `p99 of the event loop's delay: ${p99.toFixed(1)} ms`)
  t.ok(max < LOOP_MAX_MS, `longest delay of the event loop: ${max.toFixed(1)} ms`)
}
