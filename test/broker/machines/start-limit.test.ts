import t from 'tap'
import { Limit } from '../../../broker/machines/start-limit.js'

/** A piece of work that ends when it is told to. */
function work(): { begun: boolean; act: () => Promise<string>; end: () => void; fail: () => void } {
  let settle: { resolve: (value: string) => void; reject: (error: Error) => void } | undefined
  const ended = new Promise<string>((resolve, reject) => {
    settle = { resolve, reject }
  })
  const it = {
    begun: false,
    act: async () => {
      it.begun = true
      return await ended
    },
    end: () => {
      settle?.resolve('done')
    },
    fail: () => {
      settle?.reject(new Error('it broke'))
    },
  }
  return it
}

/** Everything that is ready to run has run: only promises are between a place that is free and who takes it. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

t.test('so many at a time for each key, the others in the order in which they came', async (t) => {
  const limit = new Limit(() => 2)
  const [a, b, c, d, other] = [work(), work(), work(), work(), work()]
  const runs = [a, b, c, d].map(async (one) => await limit.run('hv1', one.act))
  const elsewhere = limit.run('hv2', other.act)
  await settled()
  t.same(
    [a, b, c, d, other].map((one) => one.begun),
    [true, true, false, false, true],
  )
  b.end()
  await settled()
  t.same(
    [c, d].map((one) => one.begun),
    [true, false],
    'the place passes to the first who waits',
  )
  for (const one of [a, c, d, other]) one.end()
  t.same(await Promise.all([...runs, elsewhere]), ['done', 'done', 'done', 'done', 'done'])
})

t.test('one that fails gives its place on, and its error to who asked', async (t) => {
  const limit = new Limit(() => 1)
  const [first, second] = [work(), work()]
  const runs = [limit.run('hv1', first.act), limit.run('hv1', second.act)]
  first.fail()
  await t.rejects(async () => await runs[0], { message: 'it broke' })
  await settled()
  t.ok(second.begun)
  second.end()
  t.equal(await runs[1], 'done')
  t.equal(await limit.run('hv1', async () => 'free again'), 'free again')
})

t.test('a limit that was raised counts for who comes next', async (t) => {
  let most = 1
  const limit = new Limit(() => most)
  const [first, second] = [work(), work()]
  const running = [limit.run('hv1', first.act)]
  most = 2
  running.push(limit.run('hv1', second.act))
  await settled()
  t.ok(second.begun)
  for (const one of [first, second]) one.end()
  await Promise.all(running)
})

t.test('who is cancelled while waiting never begins, and holds nobody up', async (t) => {
  const limit = new Limit(() => 1)
  const [a, b, c] = [work(), work(), work()]
  const abort = new AbortController()
  const first = limit.run('hv1', a.act, abort.signal)
  const second = limit.run('hv1', b.act, abort.signal)
  const third = limit.run('hv1', c.act)
  await settled()
  abort.abort()
  await t.rejects(second, { code: 'cancelled' })
  await t.rejects(limit.run('hv1', b.act, abort.signal), { code: 'cancelled' }, 'nor later')
  t.equal(b.begun, false)
  a.end()
  t.equal(await first, 'done', 'what has begun is not cut off')
  await settled()
  t.equal(c.begun, true)
  c.end()
  await third
})
