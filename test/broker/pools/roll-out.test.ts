import t, { type Test } from 'tap'
import { until } from '../../support/until.js'
import { office, poolOf, show, untilMembers } from './office.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'

const copyAndPopulate = async (
  broker: Awaited<ReturnType<typeof office>>,
  initial: string,
): Promise<void> => {
  await broker.admin.done(`/machines/${initial}/copy`, {})
  await broker.admin.done(`/machines/${initial}/populate`, {})
}
const standing = async (
  broker: Awaited<ReturnType<typeof office>>,
  pool: string,
): Promise<string[]> =>
  (await show(broker, pool)).members.map(
    (member) =>
      `${member.machine} ${member.generation ?? '-'}${member.renewPending ? ' pending' : ''}`,
  )

t.test(
  'a new image reaches the free members at once, and an assigned one when it is released',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    await poolOf(broker, 'lab', 3)
    await broker.admin.post('/pools/lab/assign', { user: 'ann', machine: 'lab-2' })
    await untilMembers(broker, 'lab', ['free off', 'assigned running', 'free off'])
    t.same((await show(broker, 'lab')).pool.generations, [
      { generation: 'g1', members: 3, current: true },
    ])
    await copyAndPopulate(broker, 'lab-golden')
    t.same(await standing(broker, 'lab'), ['lab-1 g2', 'lab-2 g1 pending', 'lab-3 g2'])
    t.same((await show(broker, 'lab')).pool.generations, [
      { generation: 'g2', members: 2, current: true },
      { generation: 'g1', members: 1, current: false },
    ])
    const overlay = (machine: string): string | null | undefined =>
      [...broker.hosts.values()]
        .map((host) => host.overlays.get(`${machine}.qcow2`))
        .find((base) => base !== undefined)
    t.match(
      [overlay('lab-1'), overlay('lab-2'), overlay('lab-3')],
      [/g2/, /g1/, /g2/],
      'so it is on the hosts',
    )
    const boots = broker.hosts
      .get((await show(broker, 'lab')).members[1]?.hypervisor ?? '')
      ?.domains.get('lab-2')?.boots
    await broker.admin.post('/machines/lab-2/extend')
    t.same((await standing(broker, 'lab'))[1], 'lab-2 g1 pending', "as long as it is ann's")
    t.equal(
      broker.hosts
        .get((await show(broker, 'lab')).members[1]?.hypervisor ?? '')
        ?.domains.get('lab-2')?.boots,
      boots,
      'and it ran on',
    )

    await renewedWhenReleased(t, broker, overlay)
  },
)

async function renewedWhenReleased(
  t: Test,
  broker: SimulatedBroker,
  overlay: (machine: string) => string | null | undefined,
): Promise<void> {
  await broker.admin.post('/machines/lab-2/release', {})
  await until(async () => (await standing(broker, 'lab')).join() === 'lab-1 g2,lab-2 g2,lab-3 g2', {
    withinMs: 30_000,
    what: 'the released one is renewed',
  })
  await untilMembers(broker, 'lab', ['free off', 'free off', 'free off'])
  t.same((await show(broker, 'lab')).pool.generations, [
    { generation: 'g2', members: 3, current: true },
  ])
  t.match(overlay('lab-2'), /g2/)
  await until(async () => (await broker.rows('SELECT number FROM generation')).length === 1, {
    withinMs: 30_000,
    what: 'the old image, on which nobody stands, is collected',
  })
}

t.test(
  "a member that is made later stands on the new image; forced, the assigned one does too, and stays its holder's",
  async (t) => {
    const broker = await office({ hosts: 1 })
    t.teardown(async () => {
      await broker.remove()
    })
    await poolOf(broker, 'lab', 1)
    await broker.admin.post('/pools/lab/assign', { user: 'ann' })
    await untilMembers(broker, 'lab', ['assigned running'])
    await copyAndPopulate(broker, 'lab-golden')
    await broker.admin.succeeded(
      (await broker.admin.patch<{ job: string }>('/pools/lab', { size: 2 })).job,
    )
    t.same(await standing(broker, 'lab'), ['lab-1 g1 pending', 'lab-2 g2'])
    await broker.admin.succeeded(
      (await broker.admin.post<{ job: string }>('/machines/lab-golden/populate', { force: true }))
        .job,
    )
    t.same(await standing(broker, 'lab'), ['lab-1 g2', 'lab-2 g2'])
    t.match((await show(broker, 'lab')).members, [
      { holder: 'ann', state: 'assigned' },
      { holder: null },
    ])
  },
)
