import t from 'tap'
import type { ClaimAnswer, Desktop } from '../../../broker/api/assignments.js'
import { addPerson } from '../../support/people.js'
import { until } from '../../support/until.js'
import { desktopOf, office, poolOf, show, untilMembers } from '../pools/office.js'

t.test(
  'who is given a desktop out of turn waits no more, and those behind him are served',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const { members } = await poolOf(broker, 'p', 2)
    await broker.admin.put('/grants', {
      kind: 'pool',
      object: 'p',
      subjectKind: 'role',
      subject: 'user',
      verbs: ['start', 'accessConsole'],
    })
    const [one, other] = members
    broker.host(one?.hypervisor).link?.setUp(false) // so that its desktop can be given by hand only
    await broker.admin.post('/pools/p/assign', { user: 'ann', machine: other?.machine })
    const [bob, cid] = [await addPerson(broker, 'bob'), await addPerson(broker, 'cid')]
    for (const [place, person] of [bob, cid].entries())
      t.match(await person.post<ClaimAnswer>('/pools/p/claim', { wait: true }), {
        queue: { place: place + 1 },
      })
    t.match(
      await broker.admin.post<Desktop>('/pools/p/assign', {
        user: 'bob',
        machine: one?.machine,
        fixed: true,
      }),
      { holder: 'bob' },
    )
    t.same(await broker.rows('SELECT holder FROM waiter'), [{ holder: 'user:cid' }])
    await broker.admin.post(`/machines/${other?.machine ?? ''}/release`, { force: true })
    t.match(
      await until(async () => await desktopOf(broker, other?.machine ?? ''), {
        withinMs: 20_000,
        what: 'cid is served',
      }),
      { holder: 'cid' },
    )
  },
)

t.test('who has as many desktops as he may when it is his turn is passed over', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'p', 1, { maxPerUser: 1 })
  await poolOf(broker, 'other', 1)
  for (const object of ['p', 'other'])
    await broker.admin.put('/grants', {
      kind: 'pool',
      object,
      subjectKind: 'role',
      subject: 'user',
      verbs: ['start', 'accessConsole'],
    })
  await broker.admin.post('/pools/p/assign', { user: 'ann' })
  const [bob, cid] = [await addPerson(broker, 'bob'), await addPerson(broker, 'cid')]
  for (const person of [bob, cid]) await person.post('/pools/p/claim', { wait: true })
  t.match(await bob.post<ClaimAnswer>('/pools/other/claim'), { desktop: { machine: 'other-1' } })
  await untilMembers(broker, 'p', ['assigned running'])
  await broker.admin.post('/machines/p-1/release', {})
  await until(async () => (await show(broker, 'p')).members[0]?.holder === 'cid', {
    withinMs: 20_000,
    what: 'the next one has it',
  })
  t.same(await broker.rows('SELECT * FROM waiter'), [])
})

t.test(
  'a machine that somebody works on is not given away under his hands; one that he has left is',
  async (t) => {
    const broker = await office({ hosts: 1 })
    t.teardown(async () => {
      await broker.remove()
    })
    await broker.admin.done('/machines', {
      name: 'pc',
      type: 'simple',
      hypervisors: ['hv1'],
    })
    await broker.admin.done('/machines/pc/power', { action: 'start' })
    await broker.run(
      'INSERT INTO assignment (machine_id, holder, assigned_at, idle_since) SELECT id, ' +
        "'thin-client:desk', 1, 1 FROM machine WHERE name = 'pc'",
    )
    broker.host().seat('pc', ['10.1.1.1'])
    await until(async () => (await desktopOf(broker, 'pc')).phase === 'connected', {
      withinMs: 5_000,
      what: 'the viewer is noted',
    })
    await t.rejects(broker.admin.post('/machines/pc/assign', { user: 'ann' }), {
      code: 'assigned',
      message: /thin-client:desk is connected to pc/,
    })
    broker.host().seat('pc', [])
    await until(async () => (await desktopOf(broker, 'pc')).phase !== 'connected', {
      withinMs: 5_000,
      what: 'he left',
    })
    t.match(await broker.admin.post<Desktop>('/machines/pc/assign', { user: 'ann' }), {
      holder: 'ann',
      expiresAt: null,
    })
    await t.rejects(broker.admin.post('/machines/pc/assign', { user: 'bob' }), {
      code: 'assigned',
      message: /pc is ann's/,
    })
  },
)
