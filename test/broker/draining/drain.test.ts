import t, { type Test } from 'tap'
import type { ClaimAnswer } from '../../../broker/api/assignments.js'
import type { Hypervisor } from '../../../broker/api/hypervisors.js'
import { addPerson } from '../../support/people.js'
import { until } from '../../support/until.js'
import { desktopOf, show } from '../pools/office.js'
import { actions, claim, drain, hostOf, members, place, state, untilEmpty } from './drained-pool.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'

t.test(
  "free members are built elsewhere, their holders' ones stay until they leave, then it is empty",
  async (t) => {
    const broker = await place(t, 6, { spares: 6 })
    await until(
      async () => (await show(broker, 'p')).members.every(({ power }) => power === 'running'),
      { withinMs: 15_000, what: 'the spares run' },
    )
    const mine = await claim(broker, 'ann')
    const host = await hostOf(broker, mine)
    const other = host === 'hv1' ? 'hv2' : 'hv1'
    broker.host(host).seat(mine, ['10.9.9.9'])
    await until(async () => (await desktopOf(broker, mine)).phase === 'connected', {
      withinMs: 5_000,
      what: 'ann is connected',
    })
    await planSaysWhatIsAffected(t, broker, host, mine)
    await begunAndMoved(t, broker, host, other)
    const left = await state(broker, host)
    t.match(left, { left: 1, sentence: '1 of 3 left.' })
    t.equal((await desktopOf(broker, mine)).sentence, 'Connected. Please leave.')
    t.ok(broker.host(host).domains.get(mine)?.running, 'hers was not touched')
    broker.host(host).seat(mine, [])
    await broker.admin.post(`/machines/${mine}/release`, { force: true })
    const empty = await untilEmpty(broker, host)
    t.equal(empty.sentence, 'It is empty: it may be switched off.')
    t.ok((await members(broker)).every((line) => line.endsWith(other)))
    t.match(await broker.admin.get<Hypervisor>(`/hypervisors/${host}`), { drain: 'empty' })
    broker.host(host).link?.setUp(false)
    await until(
      async () =>
        (await broker.admin.get<Hypervisor>(`/hypervisors/${host}`)).reason.includes(
          'The line was cut',
        ),
      { withinMs: 5_000, what: 'it is switched off' },
    )
    t.match(
      await state(broker, host),
      { left: 0, sentence: 'It is empty: it may be switched off.' },
      'also when that was done',
    )
    t.same((await actions(broker, `hypervisor:${host}`)).slice(-3), [
      'hypervisor.maintenance-on',
      'hypervisor.drain',
      'hypervisor.drained',
    ])
  },
)

async function planSaysWhatIsAffected(
  t: Test,
  broker: SimulatedBroker,
  host: string,
  mine: string,
): Promise<void> {
  const plan = await state(broker, host)
  t.equal(plan.drain, null)
  t.match(
    plan.machines.find(({ machine }) => machine === mine),
    { step: 'holder', holder: 'ann', connected: true, until: null, pool: 'p' },
  )
  t.equal(
    plan.machines.filter(({ step }) => step === 'move').length,
    2,
    'the plan says who and what is affected',
  )
  t.match(
    await broker.admin.get<Hypervisor>(`/hypervisors/${host}`),
    { drain: null, maintenance: false },
    'and nothing was done',
  )
}

async function begunAndMoved(
  t: Test,
  broker: SimulatedBroker,
  host: string,
  other: string,
): Promise<void> {
  const begun = await drain(broker, host, { reason: 'New memory', message: 'Please leave.' })
  t.match(begun, {
    drain: { total: 3, message: 'Please leave.', deadline: null, emptyAt: null },
    sentence: '3 of 3 left.',
  })
  t.match(await broker.admin.get<Hypervisor>(`/hypervisors/${host}`), {
    drain: 'draining',
    state: 'maintenance',
    reason: 'New memory',
  })
  await until(
    async () => {
      const now = await members(broker)
      return now.length === 6 && now.filter((line) => line.endsWith(`free ${other}`)).length === 5
    },
    { withinMs: 20_000, what: 'the others are built elsewhere' },
  )
}

t.test('undone: it is a host like any other again', async (t) => {
  const broker = await place(t, 2)
  const mine = await claim(broker, 'ann')
  const host = await hostOf(broker, mine)
  await drain(broker, host)
  await broker.admin.put(`/hypervisors/${host}/maintenance`, { on: false })
  t.match(await broker.admin.get<Hypervisor>(`/hypervisors/${host}`), { drain: null, state: 'up' })
  t.equal((await state(broker, host)).drain, null)
  t.equal((await broker.rows('SELECT * FROM drain')).length, 0)
  t.equal((await desktopOf(broker, mine)).holder, 'ann')
})

t.test('a restart in the middle is only a pause', async (t) => {
  const broker = await place(t, 4)
  broker.host('hv1').latencyMs = 150
  await drain(broker, 'hv1')
  await until(
    async () => (await broker.rows("SELECT 1 FROM job WHERE kind = 'pool-remove'")).length > 0,
    {
      withinMs: 5_000,
      everyMs: 5,
      what: 'members begin to leave',
    },
  )
  await broker.stop()
  broker.host('hv1').latencyMs = 0
  await broker.start()
  t.match(await broker.admin.get<Hypervisor>('/hypervisors/hv1'), { drain: String })
  await untilEmpty(broker, 'hv1')
  await until(
    async () => (await members(broker)).filter((line) => line.endsWith('free hv2')).length === 4,
    { withinMs: 20_000, what: 'all are on the other host' },
  )
})

t.test('the host goes away in the middle: it is waited for', async (t) => {
  const broker = await place(t, 4)
  const here = (await show(broker, 'p')).members
    .filter(({ hypervisor }) => hypervisor === 'hv1')
    .map(({ machine }) => machine)
  broker.host('hv1').link?.setUp(false)
  await until(
    async () => (await broker.admin.get<Hypervisor>('/hypervisors/hv1')).state === 'unreachable',
    { withinMs: 5_000, what: 'it is away' },
  )
  const away = await drain(broker, 'hv1')
  t.ok(
    away.machines
      .filter(({ machine }) => here.includes(machine))
      .every(({ step }) => step === 'unknown'),
  )
  t.match(
    away,
    { drain: { emptyAt: null } },
    'a host of which nothing is known is not called empty',
  )
  t.equal((await broker.rows("SELECT 1 FROM job WHERE kind = 'pool-remove'")).length, 0)
  broker.host('hv1').link?.setUp(true)
  await untilEmpty(broker, 'hv1')
  await until(
    async () => (await members(broker)).filter((line) => line.endsWith('free hv2')).length === 4,
    { withinMs: 20_000, what: 'all are on the other host' },
  )
})

t.test(
  'claims at the same moment: nobody gets two, nobody gets none, and nobody is left on the host but who was there',
  async (t) => {
    const broker = await place(t, 8)
    const people = await Promise.all(
      Array.from({ length: 6 }, (_, index) => addPerson(broker, `person-${index}`)),
    )
    const [answers] = await Promise.all([
      Promise.all(
        people.map(
          async (person) =>
            await person.post<ClaimAnswer>('/pools/p/claim', { wait: true, waitMs: 15_000 }),
        ),
      ),
      drain(broker, 'hv1'),
    ])
    t.equal(
      answers.filter(({ desktop }) => desktop !== null).length +
        answers.filter(({ queue }) => queue !== null).length,
      6,
    )
    const have = async (): Promise<
      Array<{ holder: string; machine: string; hypervisor: string; power: string }>
    > =>
      await broker.rows(
        'SELECT assignment.holder, machine.name AS machine, machine.hypervisor, ' +
          'machine.power FROM assignment JOIN machine ON machine.id = assignment.machine_id',
      )
    await until(async () => (await have()).length === 6, {
      withinMs: 20_000,
      what: 'all six have one',
    })
    const rows = await have()
    t.equal(new Set(rows.map(({ machine }) => machine)).size, 6)
    const onHost = rows
      .filter(({ hypervisor }) => hypervisor === 'hv1')
      .map(({ machine }) => machine)
    const left = await until(
      async () => {
        const now = await state(broker, 'hv1')
        return now.left === onHost.length ? now : null
      },
      { withinMs: 20_000, what: 'only those who were there are left' },
    )
    t.same(
      left.machines
        .filter(({ step }) => step === 'holder')
        .map(({ machine }) => machine)
        .sort(),
      onHost.sort(),
    )
    for (const machine of onHost)
      await broker.admin.post(`/machines/${machine}/release`, { force: true })
    await untilEmpty(broker, 'hv1')
  },
)
