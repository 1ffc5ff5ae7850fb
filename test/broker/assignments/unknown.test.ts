import t from 'tap'
import type { Desktop } from '../../../broker/api/assignments.js'
import type { Hypervisor } from '../../../broker/api/hypervisors.js'
import type { Machine } from '../../../broker/api/machines.js'
import { refusal } from '../../../broker/errors/broker-error.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { desktopOf, office, poolOf, untilMembers } from '../pools/office.js'

/*
 * No answer is not the answer that nobody is there: a QEMU that hangs, or a host that cannot be
 * looked at, costs nobody a desktop.
 */

const RETENTION = { retention: 'PT2S', disconnectGrace: 'PT0S' }
const SILENT = refusal('libvirt_late', {
  hypervisor: 'hv1',
  operation: 'list',
  seconds: 20,
})

async function place(
  test: { teardown: (act: () => Promise<void>) => void },
  size: number,
  policy: object = {},
): Promise<SimulatedBroker> {
  const broker = await office({
    hosts: 1,
    config: {
      observeEveryMs: 200,
      observationAgeMs: 2_000,
      observationGraceMs: 500,
      releaseAfterMs: 500,
    },
  })
  test.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'p', size, { ...RETENTION, ...policy })
  return broker
}
async function give(broker: SimulatedBroker, user: string): Promise<string> {
  const { machine } = await broker.admin.post<Desktop>('/pools/p/assign', { user, waitMs: 20_000 })
  return machine
}
const released = async (broker: SimulatedBroker): Promise<string[]> =>
  (
    await broker.rows<{ object: string }>(
      "SELECT object FROM event WHERE action = 'desktop.release'",
    )
  ).map(({ object }) => object)
const events = async (broker: SimulatedBroker, action: string): Promise<number> =>
  (await broker.rows('SELECT 1 FROM event WHERE action = ?', action)).length
const machine = async (broker: SimulatedBroker, name: string): Promise<Machine> =>
  await broker.admin.get<Machine>(`/machines/${name}`)
const soon = { withinMs: 20_000, everyMs: 50 }

t.test('a QEMU that hangs: its desktop stays, that of another one is taken as ever', async (t) => {
  const broker = await place(t, 2)
  const host = broker.host()
  const [ann, bob] = [await give(broker, 'ann'), await give(broker, 'bob')]
  host.hung.add(ann)
  host.viewers.set(ann, ['10.1.1.1']) // she connects, and nobody can see it
  host.push(ann, 'viewer')
  await until(async () => (await released(broker)).includes(`machine:${bob}`), {
    ...soon,
    what: "bob's time is over",
  })
  t.same(await released(broker), [`machine:${bob}`], 'and he alone has lost his')
  t.match(await machine(broker, ann), {
    power: 'running',
    viewersUnknown: /did not answer within 2000 ms/,
  })
  t.equal(await events(broker, 'machine.unanswering'), 1, 'it is told once')
  const { text } = await broker.admin.raw('GET', '/metrics')
  t.match(text, /^berth_machines_viewers_unknown\{hypervisor="hv1"\} 1$/m)
  t.match(text, /^berth_hypervisor_observation_age_seconds\{hypervisor="hv1"\} [01]\.\d+$/m)
  t.match(text, /^berth_hypervisor_observed\{hypervisor="hv1"\} 1$/m)
  await t.rejects(broker.admin.post(`/machines/${ann}/release`, {}), {
    code: 'assigned',
    message: /not known whether ann is connected/,
  })
  host.hung.delete(ann)
  await until(async () => (await desktopOf(broker, ann)).phase === 'connected', {
    ...soon,
    what: 'ann is seen',
  })
  t.equal(await events(broker, 'machine.answering'), 1)
  host.seat(ann, [])
  await until(async () => (await released(broker)).includes(`machine:${ann}`), {
    ...soon,
    what: 'she has left, and her time is over',
  })
})

t.test('a host that is up and cannot be looked at: nothing on it is taken', async (t) => {
  const broker = await place(t, 1)
  const host = broker.host()
  const ann = await give(broker, 'ann')
  host.onCall = (call) => {
    if (call === 'list') throw SILENT
  }
  host.viewers.set(ann, ['10.1.1.1'])
  const seen = await until(
    async () => {
      const hv = await broker.admin.get<Hypervisor>('/hypervisors/hv1')
      return hv.observed.current ? null : hv
    },
    { ...soon, what: 'the host counts as not seen' },
  )
  t.match(seen, {
    state: 'up',
    reason: /not known, so everything on it counts as in use.*libvirt did not answer/,
    observed: { reason: /Last seen \d+ s ago: hv1: libvirt did not answer/ },
  })
  const untilMs = performance.now() + 4_000 // twice the retention
  await until(() => performance.now() > untilMs, { ...soon, what: 'her time would be over' })
  t.same(await released(broker), [])
  t.equal(await events(broker, 'hypervisor.unseen'), 1, 'it is told once')
  host.onCall = () => {}
  await until(async () => (await desktopOf(broker, ann)).phase === 'connected', {
    ...soon,
    what: 'ann is seen',
  })
  t.same(await released(broker), [])
  // Her viewer may have been known before the look at the whole host has ended.
  await until(async () => (await events(broker, 'hypervisor.seen')) === 1, {
    ...soon,
    what: 'it is seen again',
  })
  t.match(await broker.admin.get<Hypervisor>('/hypervisors/hv1'), {
    reason: '',
    observed: { current: true, reason: '' },
  })
})

t.test('a paused machine has viewers too', async (t) => {
  const broker = await place(t, 1)
  const host = broker.host()
  const ann = await give(broker, 'ann')
  host.seat(ann, ['10.1.1.1'])
  await until(async () => (await desktopOf(broker, ann)).phase === 'connected', {
    ...soon,
    what: 'ann is connected',
  })
  host.paused.add(ann)
  host.push(ann, 'Suspended IOError')
  await until(async () => (await machine(broker, ann)).power === 'paused', {
    ...soon,
    what: 'it is paused',
  })
  t.match(await desktopOf(broker, ann), { phase: 'connected' })
  t.match(await machine(broker, ann), { viewers: ['10.1.1.1'] })
})

t.test('populate renews what is known to be free, and spares what is not known', async (t) => {
  const broker = await place(t, 2, { spares: 2 })
  const host = broker.host()
  await untilMembers(broker, 'p', ['free running', 'free running'])
  host.hung.add('p-1')
  const copied = await broker.admin.post<{ job: string }>('/machines/p-golden/copy', {})
  await broker.admin.succeeded(copied.job)
  const { job } = await broker.admin.post<{ job: string }>('/machines/p-golden/populate', {})
  const ended = await broker.admin.ended(job)
  t.match(
    ended.targets.filter(({ name }) => name.startsWith('p-')),
    [
      { name: 'p-1', state: 'skipped', message: /not known who is connected/ },
      { name: 'p-2', state: 'done' },
    ],
  )
  t.equal(host.domains.get('p-1')?.running, true)
  host.hung.delete('p-1')
  await until(async () => (await machine(broker, 'p-1')).generation === 'g2', {
    ...soon,
    what: 'it is renewed when it is known to be free',
  })
})

t.test('a desktop whose last holder may still be there is not cleaned', async (t) => {
  const broker = await place(t, 1)
  const host = broker.host()
  const ann = await give(broker, 'ann')
  host.hung.add(ann)
  host.push(ann, 'viewer')
  await until(async () => (await machine(broker, ann)).viewersUnknown !== '', {
    ...soon,
    what: 'it is not known who is there',
  })
  await broker.admin.post(`/machines/${ann}/release`, { force: true })
  const untilMs = performance.now() + 3_000
  await until(() => performance.now() > untilMs, { ...soon, what: 'it would be clean' })
  t.equal(host.domains.get(ann)?.running, true)
  t.same(await broker.rows('SELECT state FROM desktop'), [{ state: 'cleaning' }])
  host.hung.delete(ann)
  await until(
    async () => (await broker.rows("SELECT 1 FROM desktop WHERE state = 'free'")).length === 1,
    {
      ...soon,
      what: 'it is clean',
    },
  )
})

t.test('two listings out of turn: the later one holds', async (t) => {
  const broker = await place(t, 1)
  const host = broker.host()
  const ann = await give(broker, 'ann')
  const late: Array<() => void> = []
  host.holdAnswer = async (call) => {
    if (call === 'list' && late.length === 0)
      await new Promise<void>((resolve) => {
        late.push(resolve)
      })
  }
  host.push(ann, 'a look that is answered late')
  await until(() => late.length === 1, { ...soon, what: 'a listing is under way' })
  await broker.admin.succeeded(
    (await broker.admin.post<{ job: string }>(`/machines/${ann}/power`, { action: 'poweroff' }))
      .job,
  )
  const off = await machine(broker, ann)
  t.match(off, { power: 'off' })
  let listings = 0
  host.onCall = (call) => {
    if (call === 'list') listings += 1
  }
  late[0]?.()
  await until(() => listings > 0, { ...soon, what: 'the look that was late has ended' })
  t.equal((await machine(broker, ann)).powerSince, off.powerSince, 'it was never shown running')
})
