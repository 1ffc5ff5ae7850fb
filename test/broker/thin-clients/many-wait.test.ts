import t from 'tap'
import { until } from '../../support/until.js'
import { clientsXml, Desk, entry, office } from './desk.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'

t.setTimeout(240_000)

t.test(
  'two thousand wait at once; a change of one machine answers those who wait for it, and nobody else',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    for (const name of ['pc-1', 'pc-2'])
      await broker.admin.put(`/machines/${name}/maintenance`, { on: true })
    const desks = twoThousandDesks(broker)
    const meant = desks.filter((_, index) => index % 100 === 0)
    await meetAll(broker, desks, meant)
    const answered = new Set<Desk>()
    const lost: unknown[] = []
    let stops = false
    const wait = async (desk: Desk): Promise<void> => {
      await desk.ask(100_000).then(
        () => answered.add(desk),
        (error: unknown) => {
          if (!stops) lost.push(error) // the broker ends while they wait
        },
      )
    }
    const answers: Array<Promise<void>> = []
    // This one process does both sides of each handshake: all at once, the last would be given up.
    for (let from = 0; from < desks.length; from += 100) {
      answers.push(...desks.slice(from, from + 100).map(wait))
      await until(async () => lost.length > 0 || (await connections(broker)) >= answers.length, {
        withinMs: 30_000,
        what: `${answers.length} wait`,
      })
    }
    t.same(lost, [])
    const since = performance.now()
    await broker.admin.put('/machines/pc-1/maintenance', { on: false })
    await until(() => meant.every((desk) => answered.has(desk)), {
      withinMs: 5_000,
      everyMs: 5,
      what: 'those of pc-1 are answered',
    })
    t.comment(`${meant.length} were answered within ${Math.round(performance.now() - since)} ms`)
    t.equal(answered.size, meant.length)
    const stopped = performance.now()
    stops = true
    await broker.stop()
    await Promise.all(answers)
    t.ok(performance.now() - stopped < 10_000, 'the broker ends although they wait')
  },
)

function twoThousandDesks(broker: SimulatedBroker) {
  return Array.from(
    { length: 2_000 },
    (_, index) =>
      new Desk(
        broker,
        `52:54:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`,
        `127.0.0.${2 + (index % 4)}`,
      ),
  )
}

async function meetAll(broker: SimulatedBroker, desks: Desk[], meant: Desk[]): Promise<void> {
  await clientsXml(
    broker,
    desks
      .map((desk) =>
        entry(`mac="${desk.macs[0] ?? ''}"`, `spice:${meant.includes(desk) ? 'pc-1' : 'pc-2'}`),
      )
      .join('\n'),
  )
  for (let from = 0; from < desks.length; from += 100)
    await Promise.all(
      desks.slice(from, from + 100).map(async (desk) => {
        await desk.ask()
      }),
    )
}

async function connections(broker: Awaited<ReturnType<typeof office>>): Promise<number> {
  return await new Promise((resolve, reject) => {
    broker.broker.app.server.getConnections((error, count) => {
      if (error) reject(error)
      else resolve(count)
    })
  })
}
