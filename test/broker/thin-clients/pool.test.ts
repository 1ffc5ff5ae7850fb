import t from 'tap'
import { until } from '../../support/until.js'
import { clientsXml, Desk, newMac, office } from './desk.js'

/** How often something was claimed since the broker started. */
async function claims(broker: Awaited<ReturnType<typeof office>>): Promise<number> {
  const { text } = await broker.admin.raw('GET', '/metrics')
  return [...text.matchAll(/^berth_claim_seconds_count\{[^}]*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  )
}

t.test(
  'a device whose line names a pool has one of its desktops; the next one waits in the ' +
    'queue, and both go on by themselves',
  async (t) => {
    const broker = await office(1)
    t.teardown(async () => {
      await broker.remove()
    })
    await broker.admin.post('/pools', { name: 'lab', policy: { retention: 'PT1H' } })
    await broker.admin.post('/pools/lab/members', { machine: 'pc-1' })
    const [first, second] = [new Desk(broker, newMac()), new Desk(broker, newMac())]
    await clientsXml(broker, '<default><desktop-pool>lab</desktop-pool></default>')
    let started = false
    broker.host().onCall = (call) => {
      if (call === 'start') started = true
    }
    t.match(await first.ask(), { state: 'starting', sentence: /pc-1/ })
    const ready = await until(
      async () => {
        const answer = await first.ask(5_000)
        return answer.state === 'ready' ? answer : null
      },
      { withinMs: 20_000, what: 'the desktop is ready' },
    )
    t.match(ready.console, { protocol: 'spice', title: 'pc-1' })
    t.ok(started)
    t.match(await second.ask(), {
      state: 'waiting',
      sentence: /lab has no free desktop .* place 1 in the queue/,
    })
    const before = await claims(broker)
    const waiting = second.ask(1_500)
    await waiting
    t.ok(
      (await claims(broker)) - before < 10,
      'a screen that waits does not ask the database without end',
    )
    const told = second.ask(30_000)
    await broker.admin.post('/machines/pc-1/release', {})
    const next = await told
    t.ok(['starting', 'waiting', 'ready'].includes(next.state))
    t.match(
      await until(
        async () => {
          const answer = await second.ask(2_000)
          return answer.state === 'ready' ? answer : null
        },
        { withinMs: 20_000, what: 'the second one has it' },
      ),
      { console: { title: 'pc-1' } },
    )
  },
)

t.test(
  'a desktop that is slow to start is not claimed without end by the screen that waits for it',
  async (t) => {
    const broker = await office(1)
    t.teardown(async () => {
      await broker.remove()
    })
    await broker.admin.post('/pools', { name: 'lab' })
    await broker.admin.post('/pools/lab/members', { machine: 'pc-1' })
    const desk = new Desk(broker, newMac())
    await clientsXml(broker, '<default><desktop-pool>lab</desktop-pool></default>')
    broker.host().latencyMs = 300
    await desk.ask()
    const polls = Promise.all([desk.ask(1_000), desk.ask(1_000)])
    await polls
    t.ok((await claims(broker)) < 40, `${await claims(broker)} claims`)
  },
)
