import { readdirSync } from 'node:fs'
import t, { type Test as T } from 'tap'
import type { ClaimAnswer } from '../../../broker/api/assignments.js'
import type { Job, JobList } from '../../../broker/api/jobs.js'
import type { MachineList } from '../../../broker/api/machines.js'
import { ApiClient } from '../../support/api-client.js'
import { IMAGES, OVERLAYS } from '../../support/berth-on-fleet.js'
import { until } from '../../support/until.js'
import {
  alice,
  berth,
  bob,
  claim,
  connect,
  hostOf,
  hosts,
  inGuest,
  makePool,
  people,
  restarted,
  show,
} from './four-people.js'

t.setTimeout(900_000)

/** The first one writes, gives it back; the second one gets the same machine, and finds nothing. */
async function handOver(t: T, pool: string): Promise<void> {
  const first = await claim(alice, pool)
  await berth.screenOf(first.machine, { name: first.machine })
  await inGuest(first.machine, 'echo of-alice > /var/proof; sync; test -s /var/proof')
  await t.rejects(bob.post(`/pools/${pool}/claim`), {
    code: 'pool_exhausted',
    message: /somebody's time is over/,
  })
  await t.rejects(
    bob.post(`/machines/${first.machine}/console`),
    { code: 'not_found' },
    'bob does not see what is not his',
  )
  await alice.post(`/machines/${first.machine}/release`)
  await t.rejects(alice.post(`/machines/${first.machine}/console`), { code: 'not_found' })
  const early = await bob.post<ClaimAnswer>(`/pools/${pool}/claim`, { wait: true })
  if (early.desktop)
    await t.rejects(
      bob.post(`/machines/${pool}-1/console`),
      { message: /cleaned|is off|shutting/ },
      'nobody sees a screen that is not cleaned yet',
    )
  const second = await claim(bob, pool)
  t.equal(second.machine, first.machine)
  await berth.screenOf(second.machine, { boots: 1 })
  t.equal(
    await inGuest(second.machine, 'cat /var/proof 2>/dev/null; true'),
    '',
    'the file of the first one is gone',
  )
  const viewer = await connect(bob, second.machine)
  await t.rejects(
    berth.cli('unassign', second.machine).then(({ code, stderr }) => {
      if (code !== 0) throw new Error(stderr)
    }),
    { message: /bob@example\.org is connected to .*: use --force/ },
  )
  t.match(await berth.cli('unassign', second.machine, '--force'), { code: 0 })
  await until(() => viewer.closed, { withinMs: 10_000, what: 'his viewer was cut' })
}

t.test(
  "two people, one desktop: rebuilt in between, the first one's file is gone for the second",
  async (t) => {
    await makePool('rebuilt', 1, { onRelease: 'rebuild' })
    await handOver(t, 'rebuilt')
  },
)

t.test('two people, one desktop that throws changes away and is stopped in between', async (t) => {
  await makePool('stopped', 1, { onRelease: 'stop' }, { discardChanges: true })
  await handOver(t, 'stopped')
})

t.test(
  'what nobody uses is taken when its time is over, and not while a viewer is connected',
  async (t) => {
    await makePool('expiring', 1, {
      retention: 'PT5S',
      disconnectGrace: 'PT2S',
      onExpiry: 'rebuild',
    })
    const { machine } = await claim(alice, 'expiring')
    const viewer = await connect(alice, machine)
    const connectedMs = performance.now()
    await until(
      async () => {
        t.match((await show('expiring')).members, [
          { state: 'assigned', holder: 'alice', connected: true, expiresAt: null },
        ])
        return performance.now() - connectedMs > 15_000
      },
      {
        withinMs: 30_000,
        everyMs: 1_000,
        what: 'three times the retention passed while connected',
      },
    )
    viewer.close()
    const leftMs = performance.now()
    await until(async () => (await show('expiring')).members[0]?.holder === null, {
      withinMs: 90_000,
      everyMs: 200,
      what: 'it was taken',
    })
    t.ok(performance.now() - leftMs > 4_500, 'not before its retention')
    t.match(await claim(bob, 'expiring'), { machine })
  },
)

t.test('a host that goes down before the start gives another desktop', async (t) => {
  await makePool('pair', 2, {})
  const expected = (await show('pair')).members
  t.same(expected.map((member) => member.hypervisor).sort(), ['hv1', 'hv2'])
  // Whichever is chosen: its host is cut off in the moment in which it is given, before it runs.
  for (const host of hosts) await host.stall('libvirtd')
  const { desktop } = await alice.post<ClaimAnswer>('/pools/pair/claim')
  const given = desktop?.machine ?? ''
  const lost = await hostOf(given)
  await lost.cut()
  for (const host of hosts) await host.resume('libvirtd')
  const got = await claim(alice, 'pair', 120_000)
  t.not(got.machine, given)
  await berth.screenOf(got.machine, { name: got.machine })
  await lost.heal()
  await berth.untilHypervisor(lost.name, 'up', 90_000)
  await until(
    async () =>
      (await show('pair')).members.find((member) => member.machine === given)?.state === 'free',
    { withinMs: 60_000, what: 'the other one can be given again' },
  )
})

t.test(
  'a machine that does not start is shown as failed, and its person gets another one',
  async (t) => {
    await makePool('broken', 2, {})
    const [one] = (await show('broken')).members
    const name = one?.machine ?? ''
    await (await hostOf(name)).mustRun(['rm', `${OVERLAYS}/${name}.qcow2`])
    await berth.api.post('/pools/broken/assign', { user: 'alice', machine: name })
    const got = await claim(alice, 'broken')
    t.not(got.machine, name)
    t.match(
      (await show('broken')).members.find((member) => member.machine === name),
      { state: 'failed', reason: 'It does not start.', holder: null },
    )
    t.match(await berth.cli('rebuild', name, '--yes'), { code: 0 })
    await until(
      async () =>
        (await show('broken')).members.find((member) => member.machine === name)?.state === 'free',
      { withinMs: 60_000, what: 'it works again' },
    )
  },
)

t.test(
  'the broker is killed -9 while a pool is built: it is built all the same, each member once',
  async (t) => {
    for (const point of ['image before', 'members after', 'overlays after', 'ready after']) {
      const name = `built-${point.split(' ')[0] ?? ''}`
      await berth.broker.stop()
      await restarted(`pool-build * ${point}`)
      // the answer may be lost with the broker
      await berth.api.post('/pools', { name, from: 'golden', size: 2 }).catch(() => {})
      await berth.broker.ended(60_000)
      await restarted()
      const { jobs } = await berth.api.get<JobList>('/jobs?limit=50')
      const job = jobs.find((one: Job) => one.kind === 'pool-build' && one.subject === name)
      t.match(await berth.api.ended(job?.id ?? ''), { state: 'succeeded' }, point)
      t.same(
        (await show(name)).members.map(
          (member) => `${member.machine} ${member.state} ${member.power}`,
        ),
        [`${name}-1 free off`, `${name}-2 free off`],
        point,
      )
      for (const host of hosts)
        t.same(
          readdirSync(host.path(OVERLAYS)).filter((file) => file.endsWith('.part')),
          [],
        )
    }
  },
)

t.test(
  "the broker is killed -9 while people claim: each has one desktop, the one he was told, and nobody's else",
  async (t) => {
    const told = new Map<ApiClient, string>()
    await berth.api.put('/grants', {
      kind: 'pool',
      object: 'built-image',
      subjectKind: 'role',
      subject: 'user',
      verbs: ['start', 'accessConsole', 'release'],
    })
    await berth.api.patch('/pools/built-image', { size: 4 }).then(async (answer) => {
      await berth.api.succeeded((answer as { job: string }).job)
    })
    const asked = Promise.allSettled(
      people.map(async (who) => {
        const { desktop } = await who.post<ClaimAnswer>('/pools/built-image/claim', {
          waitMs: 30_000,
        })
        told.set(who, desktop?.machine ?? '')
      }),
    )
    await until(
      async () => (await show('built-image')).members.some((member) => member.holder !== null),
      { withinMs: 20_000, everyMs: 5, what: 'the first claim is written' },
    )
    await berth.broker.kill()
    await asked
    await restarted()
    const got = await Promise.all(
      people.map(async (who) => (await claim(who, 'built-image')).machine),
    )
    t.equal(new Set(got).size, people.length, got.join())
    for (const [index, who] of people.entries())
      if (told.has(who)) t.equal(got[index], told.get(who), 'the one he was told')
    for (const machine of got) await berth.screenOf(machine, { name: machine, boots: 1 })
  },
)

t.test(
  'the broker is killed -9 while a pool is deleted: it is gone all the same, with all that was its',
  async (t) => {
    for (const [name, point] of [
      ['built-members', 'release after'],
      ['built-overlays', 'delete after'],
      ['built-ready', 'forget before'],
      ['built-image', 'delete before'],
    ] as const) {
      await berth.broker.stop()
      await restarted(`pool-remove * ${point}`)
      await berth.api.delete(`/pools/${name}?force=true`).catch(() => {}) // the answer may be lost with the broker
      await berth.broker.ended(60_000)
      await restarted()
      await until(
        async () => (await berth.api.raw('GET', `/api/v1/pools/${name}`)).status === 404,
        { withinMs: 90_000, everyMs: 300, what: `${name} is gone` },
      )
      t.same(
        (await berth.api.get<MachineList>('/machines')).machines.filter((machine) =>
          machine.name.startsWith(name),
        ),
        [],
        point,
      )
      for (const host of hosts) {
        t.notMatch(await host.mustRun(['virsh', 'list', '--all', '--name']), name)
        t.same(
          [...readdirSync(host.path(OVERLAYS)), ...readdirSync(host.path(IMAGES))].filter((file) =>
            file.startsWith(name),
          ),
          [],
          `${host.name} ${point}`,
        )
      }
    }
  },
)
