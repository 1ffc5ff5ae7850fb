import t from 'tap'
import type { ClaimAnswer, Desktop } from '../../../broker/api/assignments.js'
import type { Pool } from '../../../broker/api/pools.js'
import { ApiClient } from '../../support/api-client.js'
import { until } from '../../support/until.js'
import { office, poolOf, show, untilMembers } from './office.js'

t.test('a pool from a golden machine: built, assigned, released, deleted', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const { pool, members } = await poolOf(broker, 'devpool', 3)
  t.match(pool, {
    initial: 'devpool-golden',
    size: 3,
    state: 'active',
    counts: { free: 3 },
    generations: [{ generation: 'g1', members: 3, current: true }],
  })
  t.same(
    members.map((member) => `${member.machine} ${member.state} ${member.power}`),
    ['devpool-1 free off', 'devpool-2 free off', 'devpool-3 free off'],
  )
  t.same(
    [...new Set(members.map((member) => member.hypervisor))].sort(),
    ['hv1', 'hv2'],
    'spread over the hypervisors',
  )
  const desktop = await broker.admin.post<Desktop>('/pools/devpool/assign', {
    user: 'alice@example.org',
  })
  t.match(desktop, {
    machine: 'devpool-1',
    pool: 'devpool',
    holder: 'alice@example.org',
    byAdministrator: true,
    phase: 'preparing',
  })
  await untilMembers(broker, 'devpool', ['assigned running', 'free off', 'free off'])
  t.match(
    await broker.admin.post<Desktop>('/pools/devpool/assign', { user: 'alice@example.org' }),
    { machine: 'devpool-1' },
    'asked again, the same',
  )
  await broker.admin.post('/machines/devpool-1/release', {})
  const after = await untilMembers(broker, 'devpool', ['free off', 'free off', 'free off'])
  t.ok(after.members[0]?.lastUsedAt)
  const { job } = await broker.admin.delete<{ job: string }>('/pools/devpool')
  await broker.admin.succeeded(job)
  t.same(
    await broker.rows('SELECT name FROM machine ORDER BY name'),
    [{ name: 'golden-desktop' }],
    'nothing is left but the golden machine',
  )
  t.same(
    [...broker.host('hv1').domains.keys(), ...broker.host('hv2').domains.keys()],
    ['golden-desktop'],
  )
  for (const table of ['pool', 'pool_member', 'desktop', 'assignment', 'generation'])
    t.same(await broker.rows(`SELECT * FROM ${table}`), [], table)
})

t.test(
  'a pool grows by what is missing, shrinks by who is free, and never takes an assigned one without force',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    await poolOf(broker, 'lab', 2)
    await broker.admin.post('/pools/lab/assign', { user: 'ann', machine: 'lab-2' })
    const { job } = await broker.admin.patch<{ job: string }>('/pools/lab', { size: 4 })
    await broker.admin.succeeded(job)
    t.same(
      (await show(broker, 'lab')).members.map((member) => member.machine),
      ['lab-1', 'lab-2', 'lab-3', 'lab-4'],
    )
    await broker.admin.patch('/pools/lab', { size: 0 })
    await until(async () => (await show(broker, 'lab')).members.length === 1, {
      withinMs: 30_000,
      what: 'the free ones are gone',
    })
    t.match((await show(broker, 'lab')).members, [{ machine: 'lab-2', state: 'assigned' }])
    await t.rejects(broker.admin.delete('/machines/lab-2'), {
      code: 'assigned',
      message: /ann has lab-2/,
    })
    await t.rejects(broker.admin.delete('/pools/lab'), {
      code: 'assigned',
      message: /lab-2 \(ann\)/,
    })
    await broker.admin.patch('/pools/lab', { size: 0, force: true })
    await until(async () => (await show(broker, 'lab')).members.length === 0, {
      withinMs: 30_000,
      what: 'the last one is gone',
    })
    const again = await broker.admin.patch<{ job: string }>('/pools/lab', { size: 2 })
    await broker.admin.succeeded(again.job)
    t.same(
      (await show(broker, 'lab')).members.map((member) => member.machine),
      ['lab-1', 'lab-2'],
      'an empty pool exists and grows again',
    )
  },
)

t.test(
  'a member that cannot be built is cleaned up, the rest stays, and it is made later',
  async (t) => {
    const broker = await office({ hosts: 1 })
    t.teardown(async () => {
      await broker.remove()
    })
    let refuse = true
    let overlays = 0
    broker.host().onCall = (call) => {
      if (call === 'define' && refuse && ++overlays === 4) throw Object.assign(new Error('no'), {})
    }
    const { job } = await broker.admin.post<{ job: string }>('/pools', {
      name: 'p',
      from: 'golden-desktop',
      size: 3,
    })
    const ended = await broker.admin.ended(job)
    t.equal(ended.state, 'partly')
    t.equal(ended.targets.filter((target) => target.state === 'failed').length, 1)
    t.equal((await show(broker, 'p')).members.length, 2)
    refuse = false
    await broker.admin.patch('/pools/p', { size: 3 })
    await untilMembers(broker, 'p', ['free off', 'free off', 'free off'])
  },
)

t.test(
  'all taken: a clear answer, a fair queue, and what is released goes to its head',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    await poolOf(broker, 'p', 1)
    await broker.admin.post('/pools/p/assign', { user: 'ann' })
    await t.rejects(broker.admin.post('/pools/p/assign', { user: 'bob' }), {
      code: 'pool_exhausted',
      message: /1 of 1 are assigned\).*somebody's time is over/,
    })
    const waiting = await broker.admin.post<ClaimAnswer>('/pools/p/claim', { wait: true })
    t.match(waiting, { desktop: null, queue: { place: 1 } })
    await untilMembers(broker, 'p', ['assigned running'])
    await broker.admin.post('/machines/p-1/release', {})
    const { desktop } = await until(
      async () => {
        const answer = await broker.admin.post<ClaimAnswer>('/pools/p/claim', {
          wait: true,
          waitMs: 5_000,
        })
        return answer.desktop ? answer : null
      },
      { withinMs: 30_000, what: 'the head of the queue has it' },
    )
    t.match(desktop, { machine: 'p-1', holder: 'admin' })
  },
)

t.test(
  'a machine can be in several pools, and one assignment counts for all of them',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    await poolOf(broker, 'a', 1)
    await broker.admin.post('/pools', { name: 'b' })
    t.match(await broker.admin.post<Pool>('/pools/b/members', { machine: 'a-1' }), {
      counts: { free: 1 },
    })
    await broker.admin.post('/pools/b/assign', { user: 'ann' })
    await t.rejects(broker.admin.post('/pools/a/assign', { user: 'bob' }), {
      code: 'pool_exhausted',
    })
    await t.rejects(broker.admin.delete('/pools/b/members/a-1'), { code: 'assigned' })
  },
)

t.test('spares are kept running, and given first; the next one is started', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'p', 3, { spares: 1 })
  await untilMembers(broker, 'p', ['free running', 'free off', 'free off'])
  t.match(await broker.admin.post<Desktop>('/pools/p/assign', { user: 'ann' }), { machine: 'p-1' })
  await untilMembers(broker, 'p', ['assigned running', 'free running', 'free off'])
})

t.test('what an account had that is deleted is free again', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'p', 1)
  await broker.admin.post('/users', { name: 'Ann@example.org', password: 'a long enough password' })
  await broker.admin.post('/pools/p/assign', { user: 'ann@EXAMPLE.org' })
  await untilMembers(broker, 'p', ['assigned running'])
  await broker.admin.delete('/users/ann@example.org')
  await untilMembers(broker, 'p', ['free off'])
})

t.test(
  'a machine that somebody has does not become a free desktop, nor is a member had by name',
  async (t) => {
    const broker = await office({ hosts: 1 })
    t.teardown(async () => {
      await broker.remove()
    })
    await broker.admin.done('/machines', {
      name: 'pc-{n}',
      type: 'simple',
      count: 2,
      hypervisors: ['hv1'],
    })
    await broker.admin.post('/machines/pc-1/assign', { user: 'bob', fixed: true })
    await broker.admin.post('/pools', { name: 'hand' })
    await t.rejects(broker.admin.post('/pools/hand/members', { machine: 'pc-1' }), {
      code: 'assigned',
      message: /bob has pc-1/,
    })
    await broker.admin.done('/machines/pc-2/power', { action: 'start' })
    broker.host().viewers.set('pc-2', ['10.1.1.1'])
    broker.host().push('pc-2', 'viewer')
    await until(
      async () =>
        (await broker.admin.get<{ viewers: string[] }>('/machines/pc-2')).viewers.length > 0,
      { withinMs: 5_000, what: 'the viewer is seen' },
    )
    await t.rejects(broker.admin.post('/pools/hand/members', { machine: 'pc-2' }), {
      code: 'assigned',
      message: /connected to pc-2/,
    })
  },
)

t.test(
  'a free desktop that somebody was able to open is cleaned before the next one gets it',
  async (t) => {
    const broker = await office({ hosts: 1 })
    t.teardown(async () => {
      await broker.remove()
    })
    await poolOf(broker, 'p', 1, { spares: 1 })
    await untilMembers(broker, 'p', ['free running'])
    const boots = broker.host().domains.get('p-1')?.boots ?? 0
    await broker.admin.post('/machines/p-1/console', {})
    await broker.admin.post('/pools/p/assign', { user: 'ann' })
    await untilMembers(broker, 'p', ['assigned running'])
    await until(() => (broker.host().domains.get('p-1')?.boots ?? 0) > boots, {
      withinMs: 20_000,
      what: 'it was started again',
    })
    t.same(await broker.rows('SELECT unclean FROM desktop'), [{ unclean: null }])
  },
)

t.test('who may no longer have a desktop is not served from the queue', async (t) => {
  const broker = await office({ hosts: 1 })
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'p', 1)
  await broker.admin.post('/users', { name: 'carl', password: 'a long enough password' })
  await broker.admin.put('/grants', {
    kind: 'pool',
    object: 'p',
    subjectKind: 'user',
    subject: 'carl',
    verbs: ['start', 'accessConsole'],
  })
  await broker.admin.post('/pools/p/assign', { user: 'ann' })
  const { token } = await broker.anybody.post<{ token: string }>('/login', {
    name: 'carl',
    password: 'a long enough password',
  })
  const carl = new ApiClient(broker.url, broker.ca, token)
  t.match(await carl.post<ClaimAnswer>('/pools/p/claim', { wait: true }), { queue: { place: 1 } })
  await broker.admin.delete('/grants?kind=pool&object=p&subjectKind=user&subject=carl')
  await broker.admin.post('/machines/p-1/release', {})
  await untilMembers(broker, 'p', ['free off'])
  await until(async () => (await broker.rows('SELECT * FROM waiter')).length === 0, {
    withinMs: 10_000,
    what: 'he waits no more',
  })
  t.same(await broker.rows('SELECT * FROM assignment'), [])
})
