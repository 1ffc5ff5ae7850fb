import t from 'tap'
import { SCREEN_CLOSES } from '../../../broker/api/consoles.js'
import type { SpiceConsole } from '../../../broker/api/machines.js'
import { until } from '../../support/until.js'
import { actions, ask, connected, open, seated, show, stage } from './screen-stage.js'

t.setTimeout(240_000)

t.test(
  'one seat a machine: who has it is told from others, cut only on request, and his own moves with him',
  async (t) => {
    const it = await stage(t)
    const [alice, bob, carol] = [
      await it.person('alice', 'accessConsole'),
      await it.person('bob', 'accessConsole'),
      await it.person('carol', 'accessConsole', 'takeConsole'),
    ]
    const first = await open(it, alice)
    await seated(it, 1)
    await t.rejects(ask(bob), { code: 'console_in_use', message: /^Somebody else has the console/ })
    await t.rejects(ask(bob, { take: true }), { code: 'forbidden' })
    await t.rejects(
      bob.api.post('/machines/pc-1/console'),
      { code: 'console_in_use' },
      'nor by SPICE',
    )
    await t.rejects(ask(carol), { code: 'console_in_use', message: /^alice \(127\.0\.0\.1, since/ })
    const second = await open(it, alice)
    t.match(await first.closed, {
      code: SCREEN_CLOSES.taken.code,
      reason: 'The screen was opened elsewhere.',
    })
    const { ticket, taken } = await ask(carol, { take: true })
    t.match(taken, { from: { kind: 'person', name: 'alice' } })
    t.match(
      await second.closed,
      { code: SCREEN_CLOSES.taken.code, reason: 'The console was taken over.' },
      'alice may not know by whom',
    )
    await t.rejects(ask(alice), { code: 'console_in_use' }, 'carol is about to open it')
    const third = await show(it, carol, ticket)
    await third.viewer.begin()
    const dora = await it.person('dora', 'accessConsole', 'takeConsole')
    await ask(dora, { take: true })
    t.match(await third.closed, {
      code: SCREEN_CLOSES.taken.code,
      reason: 'The console was taken over by dora.',
    })
    t.ok((await actions(it)).includes('carol console.take'))
  },
)

t.test('browser and SPICE viewer take the seat from each other', async (t) => {
  const it = await stage(t)
  const alice = await it.person('alice', 'accessConsole')
  const carol = await it.person('carol', 'accessConsole', 'takeConsole')
  await alice.api.post<SpiceConsole>('/machines/pc-1/console')
  await connected(it, ['10.1.1.1'])
  await t.rejects(ask(carol), { code: 'console_in_use', message: /^alice/ })
  const mine = await open(it, alice)
  await until(() => !it.broker.host().viewers.has('pc-1'), {
    withinMs: 5_000,
    what: 'her own SPICE viewer ends',
  })
  await alice.api.post<SpiceConsole>('/machines/pc-1/console')
  await connected(it, ['10.1.1.1', '127.0.0.1']).catch(() => {})
  t.match(await mine.closed, {
    code: SCREEN_CLOSES.taken.code,
    reason: 'The screen was opened elsewhere.',
  })
  await ask(carol, { take: true })
  t.notOk(it.broker.host().viewers.has('pc-1'), 'the SPICE viewer is cut')
  const hers = await open(it, carol)
  await t.rejects(alice.api.post('/machines/pc-1/console'), { code: 'console_in_use' })
  const { taken } = await it.broker.admin.post<SpiceConsole>('/machines/pc-1/console', {
    take: true,
  })
  t.match(taken, { from: { name: 'carol' } })
  t.match(await hers.closed, {
    code: SCREEN_CLOSES.taken.code,
    reason: 'The console was taken over by admin.',
  })
})

t.test('who only looks does not take the seat, changes nothing, and is told of', async (t) => {
  const it = await stage(t)
  const [alice, carol] = [
    await it.person('alice', 'accessConsole'),
    await it.person('carol', 'accessConsole', 'takeConsole'),
  ]
  await it.broker.admin.post('/machines/pc-1/assign', { user: 'alice' })
  await open(it, alice)
  await seated(it, 1)
  const mine = async (): Promise<unknown> =>
    (await alice.api.get<{ desktops: unknown[] }>('/desktops/mine')).desktops
  t.match(await mine(), [{ machine: 'pc-1', phase: 'connected', watchedBy: [] }])
  const answer = await ask(carol, { watch: true })
  t.match(answer, { viewOnly: true, clipboard: false })
  const watching = await show(it, carol, answer.ticket)
  await (await watching.viewer.begin({ encodings: [0, -223, -309, -316, 0xc0a1e5ce | 0] })).frame()
  watching.viewer.type('rm')
  await watching.viewer.frame()
  t.same(it.display.seen[1], [2, 3, 3], 'her keys were dropped in the broker')
  t.match(await seated(it, 2), [
    { holder: { name: 'alice' }, watching: false },
    { holder: { name: 'carol' }, watching: true },
  ])
  t.match(await mine(), [{ watchedBy: ['carol'] }])
  t.match(await it.broker.admin.get('/machines/pc-1'), { viewers: ['127.0.0.1'] })
  watching.webSocket.close()
  await seated(it, 1)
  t.match(await mine(), [{ watchedBy: [] }])
  t.same(
    (await actions(it)).filter((one) => one.includes('watch')),
    ['carol console.watch', 'carol console.watch-end'],
  )
})

t.test('who watches alone does not count as connected', async (t) => {
  const it = await stage(t)
  const carol = await it.person('carol', 'accessConsole', 'takeConsole')
  await it.broker.admin.post('/machines/pc-1/assign', { user: 'alice' })
  const watching = await open(it, carol, { watch: true })
  await seated(it, 1)
  t.match(await it.broker.admin.get('/machines/pc-1'), { viewers: [] })
  t.match((await it.broker.admin.get<{ desktops: unknown[] }>('/desktops')).desktops, [
    { machine: 'pc-1', connectedAt: null, watchedBy: ['carol'] },
  ])
  await it.broker.admin.put('/grants', {
    kind: 'machine',
    object: 'pc-1',
    subjectKind: 'user',
    subject: 'carol',
    verbs: ['accessConsole'],
  })
  t.match(
    await watching.closed,
    { code: SCREEN_CLOSES.over.code },
    'and ends with the permission to take it',
  )
})
