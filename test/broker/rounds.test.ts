import { pino } from 'pino'
import t from 'tap'
import { Rounds } from '../../broker/rounds.js'
import { until } from '../support/until.js'

/** Rounds that wait at a gate; what was looked at, in order. */
function place({ everyMs = 3_600_000, fails = false } = {}) {
  const seen: boolean[] = []
  const lines: string[] = []
  let open = (): void => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const look = async (all: boolean): Promise<void> => {
    seen.push(all)
    await gate
    if (fails) throw new Error('no database')
  }
  return {
    rounds: new Rounds({
      look,
      everyMs,
      log: pino(
        { level: 'error' },
        {
          write: (line: string) => {
            lines.push(line)
          },
        },
      ),
      failed: 'keeping failed',
    }),
    seen,
    lines,
    open,
  }
}
const count = async (seen: readonly boolean[], wanted: number): Promise<void> => {
  await until(() => seen.length >= wanted, {
    withinMs: 2_000,
    everyMs: 5,
    what: `${wanted} rounds`,
  })
}

t.test(
  'calls while one waits make one round, which looks at all when one of them wants that',
  async (t) => {
    const { rounds, seen, open } = place()
    rounds.wake()
    await count(seen, 1)
    for (const all of [false, true, false]) rounds.wake(all)
    open()
    await count(seen, 2)
    await rounds.stop()
    t.same(seen, [false, true])
  },
)

t.test(
  'it begins with all, comes by timer, and ends with the round that is under way',
  async (t) => {
    const { rounds, seen, open } = place({ everyMs: 20 })
    rounds.start()
    await count(seen, 1)
    let stopped = false
    const stop = rounds.stop().then(() => {
      stopped = true
    })
    t.notOk(stopped)
    open()
    await stop
    rounds.wake()
    await rounds.stop()
    t.same(seen, [true], 'and none after it')
    const timed = place({ everyMs: 20 })
    timed.open()
    timed.rounds.start()
    await count(timed.seen, 3)
    await timed.rounds.stop()
    t.ok(timed.seen.every(Boolean))
  },
)

t.test(
  'a round that fails is in the log, and the next one comes; who asks for one is told',
  async (t) => {
    const { rounds, seen, lines, open } = place({ fails: true })
    open()
    rounds.wake()
    await count(seen, 1)
    rounds.wake()
    await count(seen, 2)
    await until(() => lines.length === 2, {
      withinMs: 2_000,
      everyMs: 5,
      what: 'both are in the log',
    })
    t.match(lines[0], /keeping failed.*no database|no database.*keeping failed/)
    await t.rejects(rounds.lookNow(true), { message: 'no database' })
    await rounds.stop()
  },
)
