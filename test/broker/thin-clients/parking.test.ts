import t, { type Test } from 'tap'
import { Parking, Poll, type Waiting } from '../../../broker/thin-clients/parking.js'
import { until } from '../../support/until.js'

class Told extends Poll {
  looks = 0
  answered: boolean | null = null
  isOver = false
  failed: unknown = null
  onLook: () => Promise<void> = async () => {}
  news = false

  constructor(
    readonly waitsFor: Waiting,
    untilMs = Infinity,
  ) {
    super(untilMs)
  }

  override async look(last: boolean): Promise<Waiting | null> {
    this.looks += 1
    await this.onLook()
    if (!this.news && !last) return this.waitsFor
    this.answered = last
    return null
  }
  override fail(error: unknown): void {
    this.failed = error
  }
  override over(): void {
    this.isOver = true
  }
}

function parking(t: Test, now?: () => number): Parking {
  const one = new Parking((error) => t.fail(String(error)), now)
  one.start()
  t.teardown(() => {
    one.stop()
  })
  return one
}

async function parked(one: Parking, count: number): Promise<void> {
  await until(() => one.size === count, { withinMs: 2_000, everyMs: 2, what: `${count} wait` })
}

t.test('a change wakes those who wait for it and no others', async (t) => {
  const one = parking(t)
  const polls = ['a', 'b', 'c'].map((id) => new Told({ topics: [`machine:${id}`, 'pool:p'] }))
  for (const poll of polls) one.take(poll)
  await parked(one, 3)
  one.tell('machine:b')
  await until(() => polls[1]?.looks === 2 && one.size === 3, {
    withinMs: 2_000,
    everyMs: 2,
    what: 'it looks again and waits',
  })
  t.same(
    polls.map(({ looks }) => looks),
    [1, 2, 1],
  )
  one.tell('pool:p')
  await until(() => polls.every(({ looks }, index) => looks === (index === 1 ? 3 : 2)), {
    withinMs: 2_000,
    everyMs: 2,
    what: 'all look again',
  })
})

t.test('only a change of its own makes one look again that is just looking', async (t) => {
  const one = parking(t)
  const poll = new Told({ topics: ['machine:a'] })
  poll.onLook = async () => {
    if (poll.looks <= 5) one.tell('machine:b')
    if (poll.looks === 1) one.tell('machine:a')
  }
  one.take(poll)
  await parked(one, 1)
  t.equal(poll.looks, 2)
})

t.test('its end comes by time, and what is left is forgotten', async (t) => {
  let now = 0
  const one = parking(t, () => now)
  const [short, long, gone] = [1_000, 60_000, 60_000].map(
    (untilMs) => new Told({ topics: ['device:1'] }, untilMs),
  ) as [Told, Told, Told]
  for (const poll of [short, long, gone]) one.take(poll)
  await parked(one, 3)
  one.leave(gone)
  t.ok(gone.isOver)
  t.equal(one.size, 2)
  now = 1_300
  await until(() => short.answered === true, { withinMs: 3_000, what: 'the short one is answered' })
  t.ok(short.isOver)
  one.tell('device:1')
  await until(() => long.looks === 2, { withinMs: 3_000, what: 'the long one looks' })
  t.equal(gone.looks, 1)
  one.stop()
  await until(() => long.answered === true, { withinMs: 3_000, what: 'it is answered at the end' })
  t.equal(one.size, 0)
})

t.test('a crowd is looked at a few at a time, and slow ones hold up nobody', async (t) => {
  const one = parking(t)
  let [atOnce, most] = [0, 0]
  const free: Array<() => void> = []
  const polls = Array.from({ length: 500 }, (_, index) => {
    const poll = new Told({ topics: ['pool:p'] })
    poll.onLook = async () => {
      if (poll.looks === 1) return
      if (index < 32) return await new Promise((resolve) => free.push(resolve))
      atOnce += 1
      most = Math.max(most, atOnce)
      await new Promise((resolve) => setImmediate(resolve))
      atOnce -= 1
    }
    return poll
  })
  for (const poll of polls) one.take(poll)
  await parked(one, 500)
  one.tell('pool:p')
  await until(() => polls.slice(32).every(({ looks }) => looks === 2), {
    withinMs: 10_000,
    what: 'all others have looked, while 32 wait for their hosts',
  })
  t.ok(most <= 32, `${most} at once`)
  for (const resolve of free) resolve()
  await parked(one, 500)
})

t.test('one that cannot be looked at is answered with the error', async (t) => {
  const one = parking(t)
  const poll = new Told({ topics: [] })
  poll.onLook = async () => {
    throw new Error('the disk is full')
  }
  one.take(poll)
  await until(() => poll.failed !== null, { withinMs: 2_000, what: 'it fails' })
  t.ok(poll.isOver)
})
