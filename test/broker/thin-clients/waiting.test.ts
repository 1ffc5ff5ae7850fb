import t, { type Test } from 'tap'
import type { AskAnswer } from '../../../broker/api/thin-clients.js'
import { Statements } from '../../support/statements.js'
import { until } from '../../support/until.js'
import { clientsXml, Desk, entry, newMac, office } from './desk.js'

t.setTimeout(240_000)

const DESKS = 12
/** Of what only a question of a device asks. */
const DEVICE = '"thin_client"'
const FACTS = '"machine"."maintenance_reason"'

type Answered = { state: 'waiting' } | { state: 'answered'; answer: AskAnswer }

/** Desks, each with a line of its own, that wait for machines in maintenance. */
async function waitingDesks(t: Test) {
  const broker = await office(3)
  const statements = new Statements()
  t.teardown(async () => {
    statements.stop()
    await broker.remove()
  })
  for (const machine of ['pc-1', 'pc-2', 'pc-3'])
    await broker.admin.put(`/machines/${machine}/maintenance`, { on: true, reason: 'they wait' })
  const desks = Array.from({ length: DESKS }, () => new Desk(broker, newMac()))
  const file = (machineOf: (index: number) => string): string =>
    desks
      .map((desk, index) => entry(`mac="${desk.macs[0] ?? ''}"`, `spice:${machineOf(index)}`))
      .join('\n')
  await clientsXml(
    broker,
    file(() => 'pc-1'),
  )
  for (const desk of desks) t.match(await desk.ask(), { state: 'maintenance' })
  for (const desk of desks) await desk.ask(1) // the first question after the key is looked into
  const wait = (): Answered[] =>
    desks.map((desk) => {
      const one = { state: 'waiting' } as Answered
      void desk.ask(60_000).then((answer) => Object.assign(one, { state: 'answered', answer }))
      return one
    })
  return { broker, desks, file, statements, wait }
}

t.test('a device that waits and asks again costs no statement', async (t) => {
  const { desks, statements } = await waitingDesks(t)
  statements.take()
  for (const desk of desks) t.match(await desk.ask(1), { state: 'maintenance' })
  t.same(statements.take(DEVICE), [])
})

t.test('what changes for it while it does not ask is told all the same', async (t) => {
  const { broker, desks, file } = await waitingDesks(t)
  const [one, two] = desks
  if (!one || !two) throw new Error('there are no desks')
  await broker.admin.put('/machines/pc-1/maintenance', { on: true, reason: 'something else' })
  t.match(await one.ask(1), { sentence: /something else/ })
  await clientsXml(
    broker,
    file((index) => (index === 1 ? 'pc-2' : 'pc-1')),
  )
  t.match(await two.ask(1), { sentence: /pc-2/ })
  const { thinClients } = await broker.admin.get<{
    thinClients: Array<{ id: string; mac: string }>
  }>('/thin-clients')
  const id = thinClients.find(({ mac }) => mac === one.macs[0])?.id ?? ''
  await broker.admin.put(`/thin-clients/${id}/assignment`, { machine: 'pc-3' })
  t.match(await one.ask(1), { sentence: /pc-3/ })
  await broker.admin.delete(`/thin-clients/${id}`)
  const stranger = await one.ask(1)
  t.not(stranger.device, id, 'its key is worth nothing any more')
})

t.test('a change of clients.xml reaches whom it concerns, and wakes no other', async (t) => {
  const { broker, file, statements, wait } = await waitingDesks(t)
  const answers = wait()
  await until(async () => (await open(broker)) === DESKS, { withinMs: 10_000, what: 'all wait' })
  statements.take()
  await clientsXml(
    broker,
    file((index) => (index === 5 ? 'pc-2' : 'pc-1')),
  )
  await until(() => answers[5]?.state === 'answered', { withinMs: 5_000, what: 'it is told' })
  t.match(answers[5], { answer: { sentence: /pc-2/ } })
  t.equal(statements.take(FACTS).length, 1, 'one was looked into')
  t.equal(answers.filter(({ state }) => state === 'answered').length, 1)
  await clientsXml(
    broker,
    file(() => 'pc-3'),
  )
  await until(() => answers.every(({ state }) => state === 'answered'), {
    withinMs: 10_000,
    what: 'all others are told',
  })
})

t.test('what happens to other machines makes those who wait no work', async (t) => {
  const { broker, file, statements, wait } = await waitingDesks(t)
  const answers = wait()
  await until(async () => (await open(broker)) === DESKS, { withinMs: 10_000, what: 'all wait' })
  statements.take()
  for (const reason of ['a', 'b', 'c'])
    await broker.admin.put('/machines/pc-2/maintenance', { on: true, reason })
  await clientsXml(
    broker,
    `${file(() => 'pc-1')}<client ` +
      `mac="${newMac()}"><protocol>SPICE</protocol><machine-name>pc-3</machine-name></client>`,
  )
  t.same(statements.take(FACTS), [], 'nobody was looked into')
  t.ok(answers.every(({ state }) => state === 'waiting'))
  await broker.admin.put('/machines/pc-1/maintenance', { on: true, reason: 'd' })
  await until(() => answers.every(({ state }) => state === 'answered'), {
    withinMs: 10_000,
    what: 'all are told of their own',
  })
  t.equal(statements.take(FACTS).length, DESKS, 'each was looked into once')
})

async function open(broker: Awaited<ReturnType<typeof office>>): Promise<number> {
  const { thinClients } = await broker.admin.get<{ thinClients: Array<{ here: boolean }> }>(
    '/thin-clients',
  )
  return thinClients.filter(({ here }) => here).length
}
