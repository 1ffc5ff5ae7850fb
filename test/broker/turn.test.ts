import t from 'tap'
import { mapInTurns } from '../../broker/turn.js'

/** Keeps the thread for so long. */
function work(ms: number): void {
  for (const untilMs = performance.now() + ms; performance.now() < untilMs;);
}

t.test('what takes long lets others go on in between, and keeps its order', async (t) => {
  let others = 0
  const timer = setInterval(() => {
    others += 1
  }, 1)
  const items = Array.from({ length: 20 }, (_, index) => index)
  const results = await mapInTurns(items, (item) => {
    work(6)
    return item * 2
  })
  clearInterval(timer)
  t.same(
    results,
    items.map((item) => item * 2),
  )
  t.ok(others >= 10, `others had ${others} turns`)
})

t.test('one that fails ends it', async (t) => {
  await t.rejects(
    mapInTurns([1], () => {
      throw new Error('no')
    }),
    { message: 'no' },
  )
})
