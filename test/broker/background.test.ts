import { pino } from 'pino'
import t from 'tap'
import { backgroundFailures, failedWithin, inBackground } from '../../broker/background.js'
import { refusal } from '../../broker/errors/broker-error.js'
import { until } from '../support/until.js'

const log = pino({ level: 'silent' })

/** Work that fails so often, and then no more. Gives how often it was begun. */
function failing(what: string, times: number, error: Error, retries: number): () => number {
  let begun = 0
  inBackground({
    log,
    what,
    retries,
    work: async () => {
      begun += 1
      if (begun <= times) throw error
    },
  })
  return () => begun
}

const diskFault = Object.assign(new Error('read-only file system'), { code: 'EROFS' })

t.test('a database that takes no writes uses up no try', async (t) => {
  for (const [what, error] of [
    ['test.disk', diskFault],
    ['test.store', refusal('store_unwritable', { fault: 'EIO' })],
  ] as const) {
    const begun = failing(what, 3, error, 1)
    await until(() => begun() === 4, { withinMs: 15_000, what: 'it is done in the end' })
    t.equal(backgroundFailures().get(what)?.count, 3, 'each is counted')
    t.notOk(failedWithin(60_000).includes(what), 'and none is a reason of its own')
  }
})

t.test('anything else does', async (t) => {
  const other = failing('test.other', 3, new Error('broken'), 1)
  const afterwards = failing('test.afterwards', 1, new Error('broken'), 2)
  await until(() => afterwards() === 2 && other() === 2, { withinMs: 15_000, what: 'both ended' })
  // The first would have been begun again within this one's time.
  const later = failing('test.later', 2, new Error('broken'), 2)
  await until(() => later() === 3, { withinMs: 15_000, what: 'a later one has ended' })
  t.equal(other(), 2)
  t.ok(failedWithin(60_000).includes('test.other'))
})

t.test('what a timer brings back is not kept waiting', async (t) => {
  const begun = failing('test.timer', 1, diskFault, 0)
  const later = failing('test.later', 2, new Error('broken'), 2)
  await until(() => later() === 3, { withinMs: 15_000, what: 'a later one has ended' })
  t.equal(begun(), 1)
})
