import t, { type Test } from 'tap'
import { addPerson } from '../../support/people.js'
import { until } from '../../support/until.js'
import { desktopOf, office, poolOf, show } from '../pools/office.js'
import { actions, claim, drain, hostOf, place, state, untilEmpty } from './drained-pool.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'

t.test('what cannot move is shut down or named; domains of others too', async (t) => {
  const broker = await office({ hosts: 1 })
  t.teardown(async () => {
    await broker.remove()
  })
  await untilOneSpareRuns(broker)
  await broker.admin.done('/machines/golden-desktop/power', {
    action: 'start',
  })
  const host = broker.host()
  host.domains.set('foreign', {
    uuid: 'c0ffee00-0000-4000-8000-000000000001',
    running: true,
    boots: 1,
    disk: null,
    destroyOnReboot: false,
    ticket: null,
    xml: '<domain/>',
  })
  const plan = await state(broker, 'hv1')
  t.same(plan.others, ['foreign'])
  await drain(broker, 'hv1')
  await until(async () => (await show(broker, 'p')).members.every(({ power }) => power === 'off'), {
    withinMs: 10_000,
    what: 'the spare is off',
  })
  await whatIsLeftIsNamed(t, broker)
  t.ok(host.domains.get('golden-desktop')?.running && host.domains.get('foreign')?.running)
  await broker.admin.done('/machines/golden-desktop/power', {
    action: 'poweroff',
  })
  host.domains.delete('foreign')
  await untilEmpty(broker, 'hv1')
})

async function untilOneSpareRuns(broker: SimulatedBroker): Promise<void> {
  await poolOf(broker, 'p', 2, { spares: 1 })
  await until(
    async () =>
      (await show(broker, 'p')).members
        .map(({ power }) => power)
        .sort()
        .join() === 'off,running' &&
      (await broker.rows('SELECT 1 FROM job WHERE finished_at IS NULL')).length === 0,
    { withinMs: 10_000, what: 'one spare runs, and nothing more is to be done' },
  )
}

async function whatIsLeftIsNamed(t: Test, broker: SimulatedBroker): Promise<void> {
  t.equal(
    (await show(broker, 'p')).members.length,
    2,
    'nothing was deleted for which there is no other place',
  )
  const now = await state(broker, 'hv1')
  t.match(
    now.machines.find(({ machine }) => machine === 'golden-desktop'),
    { step: 'by-hand', sentence: /shut it down yourself/ },
  )
  t.match(now, {
    left: 2,
    drain: { emptyAt: null },
    sentence: /1 of 2 left, and 1 domain that is not Berth's/,
  })
}

t.test('a desktop that is kept for its last holder is not built again', async (t) => {
  const broker = await place(t, 2, { onRelease: 'keep' })
  const mine = await claim(broker, 'ann')
  const host = await hostOf(broker, mine)
  await broker.admin.post(`/machines/${mine}/release`, {})
  await drain(broker, host)
  await untilEmpty(broker, host)
  t.equal(await hostOf(broker, mine), host)
  t.notOk(broker.host(host).domains.get(mine)?.running)
})

t.test(
  "a deadline: warned, then taken; one that is somebody's for good is shut down and stays his",
  async (t) => {
    const broker = await place(t, 2)
    await broker.admin.post('/pools/p/assign', { user: 'ann', waitMs: 5_000 })
    const mine =
      (await show(broker, 'p')).members.find(({ holder }) => holder === 'ann')?.machine ?? ''
    const host = await hostOf(broker, mine)
    broker.host(host).seat(mine, ['10.9.9.9'])
    await until(async () => (await desktopOf(broker, mine)).phase === 'connected', {
      withinMs: 5_000,
      what: 'ann is connected',
    })
    await t.rejects(drain(broker, host, { deadline: 'PT10S' }), {
      code: 'invalid_request',
      message: /warned first/,
    })
    await t.rejects(drain(broker, host, { deadline: 'tomorrow' }), { code: 'invalid_request' })
    await drain(broker, host, { deadline: 'PT10M' })
    await until(
      async () =>
        (await desktopOf(broker, mine)).warning?.sentence.startsWith(
          'Its hypervisor will be emptied in 10 minutes',
        ) === true,
      { withinMs: 5_000, what: 'she is warned' },
    )
    await until(async () => (await actions(broker, `machine:${mine}`)).includes('desktop.warn'), {
      withinMs: 5_000,
      what: 'and that is in the audit log',
    })
    t.equal((await desktopOf(broker, mine)).holder, 'ann', 'she keeps it until then')
    await broker.run('UPDATE drain SET deadline = 1, warned_at = 2')
    t.match(
      (await state(broker, host)).machines.find(({ machine }) => machine === mine),
      { step: 'take' },
    )
  },
)

t.test('who may not', async (t) => {
  const broker = await place(t, 1)
  const ann = await addPerson(broker, 'ann')
  await t.rejects(ann.post('/hypervisors/hv1/drain'), { code: 'forbidden' })
  await t.rejects(ann.get('/hypervisors/hv1/drain'), { code: 'forbidden' })
  await t.rejects(broker.admin.post('/hypervisors/hv9/drain'), { code: 'not_found' })
})
