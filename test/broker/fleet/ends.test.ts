import t from 'tap'
import type { Desktop } from '../../../broker/api/assignments.js'
import type { Job } from '../../../broker/api/jobs.js'
import { BerthOnFleet, SMALL } from '../../support/berth-on-fleet.js'
import { until } from '../../support/until.js'

/* How things end on a real host: guests that are killed or shut down, and starts that are cancelled. */

t.setTimeout(900_000)
const COUNT = 6
const berth = await BerthOnFleet.start({
  hosts: 1,
  name: 'ends',
  settings: { 'shutdown-timeout': 'PT20S' },
})
t.teardown(async () => {
  await berth.stop()
})
const hv1 = berth.host(1)
await berth.makeSource('golden', 'one')

const holders = async (): Promise<string[]> =>
  (await berth.api.get<{ desktops: Desktop[] }>('/desktops')).desktops.map(({ holder }) => holder)
const running = async (): Promise<number> =>
  (await hv1.mustRun(['virsh', '-q', 'list', '--name'])).split('\n').filter(Boolean).length
const KILL = 'kill -KILL $(cat /run/libvirt/qemu/p-1.pid)'
const TERMINATE = 'kill -TERM $(cat /run/libvirt/qemu/p-1.pid)'

t.test(
  'a guest that is killed stays its holder’s; one that is shut down from inside is given back',
  async (t) => {
    await berth.api.done('/pools', {
      name: 'p',
      from: 'golden',
      size: 1,
      policy: { onShutdown: 'release' },
    })
    await berth.api.post('/users', { name: 'ann', password: 'a long enough password' })
    const give = async (): Promise<void> => {
      await until(
        async () =>
          (await berth.api.post<Desktop>('/machines/p-1/assign', { user: 'ann', waitMs: 10_000 }))
            .phase === 'ready',
        { withinMs: 60_000, what: 'ann has it' },
      )
      await berth.screenOf('p-1', { name: 'p-1' })
    }
    for (const [what, command] of [
      ['killed, as when memory is out', KILL],
      ['virsh destroy', 'virsh destroy p-1'],
      ['a signal from the host', TERMINATE],
    ] as const) {
      await give()
      await hv1.mustRun(['bash', '-c', command])
      await berth.untilPower('p-1', 'off')
      const offMs = performance.now()
      await until(() => performance.now() - offMs > 6_000, {
        withinMs: 10_000,
        what: 'it would have been released',
      })
      t.same(await holders(), ['ann'], what)
    }
    await give()
    await hv1.mustRun(['virsh', 'shutdown', 'p-1'])
    await until(async () => (await holders()).length === 0, {
      withinMs: 120_000,
      what: 'it is given back',
    })
  },
)

t.test('queued starts are cancelled: none of them begins afterwards', async (t) => {
  await berth.create({
    name: 'base',
    type: 'initial',
    parent: 'golden',
    hypervisors: ['hv1'],
    ...SMALL,
  })
  await berth.create({
    name: 'pc-{n}',
    count: COUNT,
    type: 'vdi',
    parent: 'base',
    hypervisors: ['hv1'],
    ...SMALL,
  })
  await berth.copy('base')
  await berth.populate('base')
  await berth.api.patch('/hypervisors/hv1', { maxStarts: 1 })
  await until(async () => (await running()) === 0, { withinMs: 180_000, what: 'nothing runs' })
  const { job } = await berth.api.post<{ job: string }>('/machines/base/power', {
    action: 'start',
    children: true,
  })
  await until(async () => (await running()) >= 1, {
    withinMs: 20_000,
    everyMs: 10,
    what: 'one runs',
  })
  await berth.api.post(`/jobs/${job}/cancel`)
  const ended: Job = await berth.api.ended(job)
  const now = await running()
  t.equal(ended.state, 'cancelled')
  t.ok(now < COUNT, `${now} of ${COUNT} run`)
  t.equal(ended.targets.filter(({ state }) => state === 'done').length, now, 'as the job says')
  const endedMs = performance.now()
  await until(() => performance.now() - endedMs > 8_000, {
    withinMs: 10_000,
    what: 'another one would have been started',
  })
  t.equal(await running(), now)
})
