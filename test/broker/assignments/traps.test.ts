import t from 'tap'
import type { ClaimAnswer, Desktop } from '../../../broker/api/assignments.js'
import { nameKey } from '../../../broker/users/names.js'
import { addPerson, allow } from '../../support/people.js'
import { until } from '../../support/until.js'
import { desktopOf, office, show, untilMembers } from '../pools/office.js'
import { claim, everyone, hostOf, place } from './three-desktops.js'

t.test(
  '1: a desktop is taken in the moment in which it is chosen: no two people get the same',
  async (t) => {
    const broker = await place(t, 10)
    await everyone(broker)
    const people = await Promise.all(
      Array.from({ length: 40 }, (_, index) => addPerson(broker, `person-${index}`)),
    )
    const answers = await Promise.allSettled(
      people.map(async (person) => await person.post<ClaimAnswer>('/pools/p/claim')),
    )
    const machines = answers.flatMap((answer) =>
      answer.status === 'fulfilled' ? [answer.value.desktop?.machine] : [],
    )
    t.equal(machines.length, 10)
    t.equal(new Set(machines).size, 10)
  },
)

t.test('2: what is in use does not expire, however long it is used', async (t) => {
  const broker = await place(t, 1, { retention: 'PT1S', disconnectGrace: 'PT0S' })
  await everyone(broker)
  await claim(broker, 'ann')
  ;(await hostOf(broker, 'p-1')).seat('p-1', ['10.1.1.1'])
  await until(async () => (await desktopOf(broker, 'p-1')).phase === 'connected', {
    withinMs: 5_000,
    what: 'ann is connected',
  })
  await broker.run(
    'UPDATE assignment SET idle_since = 1, assigned_at = 1, started_at = 1, connected_at = 1, ticket_at = 1',
  )
  await t.rejects(claim(broker, 'bob'), { code: 'pool_exhausted' })
  t.match(await desktopOf(broker, 'p-1'), { holder: 'ann', expiresAt: null })
})

t.test('3: a person who asks again gets the same desktop: nobody empties a pool', async (t) => {
  const broker = await place(t, 3)
  await everyone(broker)
  const ann = await addPerson(broker, 'ann')
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => await ann.post<ClaimAnswer>('/pools/p/claim')),
  )
  t.same([...new Set(answers.map(({ desktop }) => desktop?.machine))], ['p-1'])
  await allow(broker, 'ann', ['start'], 'p', 'pool')
  await broker.admin
    .post('/pools', { name: 'other', from: 'p-golden', size: 1, policy: { maxPerUser: 1 } })
    .then(async (answer) => {
      await broker.admin.succeeded((answer as { job: string }).job)
    })
  await allow(broker, 'ann', ['start'], 'other', 'pool')
  await t.rejects(
    ann.post('/pools/other/claim'),
    {
      code: 'too_many_desktops',
      message: /ann has 1 desktop, as many as other allows: release one first/,
    },
    'and the pools together have a limit',
  )
})

t.test(
  '4: names with @, of 200 characters, with spaces and of other scripts are people',
  async (t) => {
    const names = [
      'alice@example.org',
      'x'.repeat(200),
      'Žąsė Ąžuolienė',
      '李小龍',
      'O\'Neil "the $(reboot)" ../x',
      'a\\b;c|d',
    ]
    const broker = await place(t, names.length)
    await everyone(broker)
    for (const name of names) {
      const { desktop } = await claim(broker, name)
      t.equal(desktop?.holder, nameKey(name))
      t.match(
        await broker.admin.post<Desktop>('/pools/p/assign', { user: name }),
        { machine: desktop?.machine },
        'an administrator means the same person',
      )
    }
    t.equal(
      new Set((await show(broker, 'p')).members.map((member) => member.holder)).size,
      names.length,
    )
    for (const name of ['x'.repeat(201), 'a\nb', 'a\u0000b', '', ' '])
      t.equal(
        (await broker.admin.raw('POST', '/api/v1/pools/p/assign', { user: name })).status,
        400,
        JSON.stringify(name.slice(0, 5)),
      )
  },
)

t.test(
  '5: a member that was ordered is not yet there; of a pool that is built in part the part works, and no half is left',
  async (t) => {
    const broker = await office({ hosts: 1 })
    t.teardown(async () => {
      await broker.remove()
    })
    let defines = 0
    broker.host().onCall = (call) => {
      if (call === 'define' && ++defines % 3 === 0) throw new Error('no room for it')
    }
    broker.host().latencyMs = 50
    const { job } = await broker.admin.post<{ job: string }>('/pools', {
      name: 'p',
      from: 'golden-desktop',
      size: 6,
    })
    await t.rejects(
      broker.admin.post('/pools/p/assign', { user: 'early' }),
      { code: 'pool_exhausted', message: /p has no/ },
      'nothing is given before it is there',
    )
    broker.host().latencyMs = 0
    const { state, targets } = await broker.admin.ended(job)
    t.equal(state, 'partly')
    const failed = targets.filter((target) => target.state === 'failed')
    for (const target of failed) t.match(target.message, /\w+/)
    const { members } = await show(broker, 'p')
    t.equal(members.length, 6 - failed.length)
    t.same(
      [...broker.host().overlays.keys()].filter((name) => /^p-\d/.test(name)).sort(),
      members.map((member) => `${member.machine}.qcow2`).sort(),
      'no file of one that failed',
    )
    t.same(
      [...broker.host().domains.keys()].filter((name) => /^p-\d/.test(name)).sort(),
      members.map((member) => member.machine).sort(),
      'no domain of one that failed',
    )
    t.match(await broker.admin.post<Desktop>('/pools/p/assign', { user: 'ann' }), { holder: 'ann' })
  },
)

t.test(
  "6: an expired desktop that its holder asks for again is his again, and not the next one's",
  async (t) => {
    const broker = await place(t, 1, { retention: 'PT1H', onExpiry: 'keep' })
    await everyone(broker)
    await claim(broker, 'ann')
    await untilMembers(broker, 'p', ['assigned running'])
    await broker.run('UPDATE assignment SET idle_since = idle_since - 7200000')
    t.match(await claim(broker, 'ann'), { desktop: { machine: 'p-1' } })
    t.ok(
      Date.parse((await desktopOf(broker, 'p-1')).expiresAt ?? '') > Date.now() + 3_000_000,
      'its time began again',
    )
    await t.rejects(claim(broker, 'bob'), { code: 'pool_exhausted' })
  },
)

t.test('7: the longest unused is given first: what was used is noted', async (t) => {
  const broker = await place(t, 3)
  await everyone(broker)
  const used: string[] = []
  for (const name of ['ann', 'bob', 'cid', 'dan', 'eva', 'fay']) {
    const { desktop } = await claim(broker, name)
    used.push(desktop?.machine ?? '')
    await until(async () => (await desktopOf(broker, desktop?.machine ?? '')).phase === 'ready', {
      withinMs: 10_000,
      what: 'it runs',
    })
    await broker.admin.post(`/machines/${desktop?.machine ?? ''}/release`)
    await untilMembers(broker, 'p', ['free off', 'free off', 'free off'])
  }
  t.same(used, ['p-1', 'p-2', 'p-3', 'p-1', 'p-2', 'p-3'])
})

t.test(
  '8: without permission nothing is assigned, nothing is started, nothing is written but that it was refused',
  async (t) => {
    const broker = await place(t, 1)
    const state = async (): Promise<string> =>
      JSON.stringify(
        await Promise.all(
          ['assignment', 'desktop', 'pool_member', 'waiter', 'job'].map(
            async (table) => await broker.rows(`SELECT * FROM ${table}`),
          ),
        ),
      )
    const before = await state()
    const nobody = await addPerson(broker, 'nobody')
    const observer = await addPerson(broker, 'looker', { roles: ['observer'] })
    for (const [client, status] of [
      [nobody, 404],
      [observer, 403],
    ] as const) {
      for (const [path, body] of [
        ['pools/p/claim', { wait: true }],
        ['pools/p/assign', { user: 'nobody' }],
        ['machines/p-1/assign', { user: 'nobody' }],
        ['machines/p-1/release', {}],
        ['machines/p-1/rebuild', undefined],
        ['machines/p-1/power', { action: 'start' }],
      ] as const) {
        t.equal((await client.raw('POST', `/api/v1/${path}`, body)).status, status, path)
      }
    }
    t.equal(await state(), before)
    t.equal(
      broker.host().domains.get('p-1')?.running ?? broker.host('hv2').domains.get('p-1')?.running,
      false,
    )
  },
)

t.test(
  "9: the next one never sees the last one's session, and what cannot be cleaned is failed and shown",
  async (t) => {
    const broker = await place(t, 1, { onRelease: 'stop' }, 1)
    await everyone(broker)
    await claim(broker, 'ann')
    await untilMembers(broker, 'p', ['assigned running'])
    const bootsOfAnn = broker.host().domains.get('p-1')?.boots ?? 0
    broker.host().onCall = (call) => {
      if (call === 'shutdown' || call === 'destroy') throw new Error('it does not stop')
    }
    await broker.admin.post('/machines/p-1/release')
    await t.rejects(claim(broker, 'bob'), {
      code: 'pool_exhausted',
      message: /being made ready, in maintenance, failed/,
    })
    const tried = async (): Promise<boolean> =>
      (await broker.rows("SELECT 1 FROM desktop WHERE state = 'cleaning' AND tries = 1")).length > 0
    await until(tried, { withinMs: 10_000, what: 'its cleaning has failed once' })
    await broker.run("UPDATE desktop SET tries = 2, retry_at = 0 WHERE state = 'cleaning'")
    const { members } = await until(
      async () => {
        const detail = await show(broker, 'p')
        return detail.members[0]?.state === 'failed' ? detail : null
      },
      { withinMs: 20_000, what: 'it is failed' },
    )
    t.match(members, [{ state: 'failed', reason: /^It could not be stopped after its last use: / }])
    await t.rejects(claim(broker, 'bob'), { code: 'pool_exhausted' })
    broker.host().onCall = () => {}
    await broker.admin.post('/machines/p-1/rebuild')
    await until(async () => (await show(broker, 'p')).members[0]?.state === 'free', {
      withinMs: 20_000,
      what: 'it works again',
    })
    t.match((await claim(broker, 'bob')).desktop, { machine: 'p-1' })
    await until(() => (broker.host().domains.get('p-1')?.boots ?? 0) > bootsOfAnn, {
      withinMs: 10_000,
      what: 'it was started again for bob',
    })
  },
)

t.test(
  '10: an assignment ends with its machine: nobody is left with a desktop that is gone',
  async (t) => {
    const broker = await place(t, 2)
    await everyone(broker)
    const { desktop } = await claim(broker, 'ann')
    const gone = desktop?.machine ?? ''
    const [{ id } = { id: '' }] = await broker.rows<{ id: string }>(
      'SELECT id FROM machine WHERE name = ?',
      gone,
    )
    await until(async () => (await desktopOf(broker, gone)).phase === 'ready', {
      withinMs: 10_000,
      what: 'it runs',
    })
    await t.rejects(broker.admin.delete(`/machines/${gone}`), { message: /ann has p-1/ })
    const { job } = await broker.admin.delete<{ job: string }>(`/machines/${gone}?force=true`)
    await broker.admin.succeeded(job)
    t.same(await broker.rows('SELECT * FROM assignment'), [])
    const { desktop: next } = await claim(broker, 'ann')
    t.ok(next)
    t.not(
      (await broker.rows<{ machine_id: string }>('SELECT machine_id FROM assignment'))[0]
        ?.machine_id,
      id,
      'another machine, perhaps of the same name',
    )
    await until(async () => (await show(broker, 'p')).members.length === 2, {
      withinMs: 60_000,
      what: 'the pool made what it lost again',
    })
  },
)
