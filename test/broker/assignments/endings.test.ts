import { pino } from 'pino'
import t from 'tap'
import type { Desktop } from '../../../broker/api/assignments.js'
import type { Machine } from '../../../broker/api/machines.js'
import { Events } from '../../../broker/events/bus.js'
import type { HelperEvent } from '../../../broker/events/map.js'
import { type Ending, Endings } from '../../../broker/machines/endings.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { office, poolOf } from '../pools/office.js'

const shutdown = (detail: string): HelperEvent => ({
  event: 'domain',
  kind: 'shutdown',
  name: 'pc-1',
  detail,
})
const lifecycle = (detail: string): HelperEvent => ({ ...shutdown(detail), kind: 'lifecycle' })

const CASES: ReadonlyArray<[string, readonly HelperEvent[], Ending]> = [
  ['shut down inside', [shutdown('guest-shutdown'), lifecycle('Shutdown Finished')], 'shutdown'],
  [
    'then libvirt ends QEMU by a signal',
    [shutdown('guest-shutdown'), shutdown('host-signal'), lifecycle('Stopped Shutdown')],
    'shutdown',
  ],
  ['rebooted', [shutdown('guest-reset'), shutdown('host-signal')], 'reboot'],
  ['a signal from the host', [shutdown('host-signal'), lifecycle('Stopped Shutdown')], 'others'],
  ['virsh destroy', [lifecycle('Stopped Destroyed')], 'others'],
  ['killed', [lifecycle('Stopped Failed')], 'others'],
  ['killed, as newer libvirts say it', [lifecycle('Stopped Crashed')], 'others'],
  ['the guest panicked', [shutdown('guest-panic'), lifecycle('Crashed Panicked')], 'others'],
  ['it has begun to run since', [shutdown('guest-shutdown'), lifecycle('Started Booted')], null],
  ['nobody has said it', [lifecycle('Stopped Shutdown')], null],
]

t.test('how a machine went off', async (t) => {
  await Promise.all(
    CASES.map(async ([what, events, ending]) => {
      const bus = new Events(pino({ level: 'silent' }))
      const endings = new Endings({
        events: bus,
        monotonicMs: () => performance.now(),
      })
      endings.start()
      for (const event of events) bus.publish('hypervisorSaid', 'hv1', event)
      t.equal(await endings.of('hv1', 'pc-1'), ending, what)
      if (ending !== null) t.equal(await endings.of('hv1', 'pc-1'), ending, `${what}: asked twice`)
    }),
  )
  const bus = new Events(pino({ level: 'silent' }))
  const endings = new Endings({
    events: bus,
    monotonicMs: () => performance.now(),
  })
  endings.start()
  const asked = endings.of('hv1', 'pc-1')
  bus.publish('hypervisorSaid', 'hv2', shutdown('host-signal'))
  bus.publish('hypervisorSaid', 'hv1', shutdown('guest-shutdown'))
  t.equal(await asked, 'shutdown', 'it may be said after the machine is seen off; by its own host')
})

async function place(test: { teardown: (act: () => Promise<void>) => void }, onShutdown: string) {
  const broker = await office({ hosts: 1 })
  test.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'p', 1, { onShutdown })
  await given(broker)
  return broker
}
async function given(broker: SimulatedBroker): Promise<void> {
  await broker.admin.post<Desktop>('/pools/p/assign', { user: 'ann', waitMs: 20_000 })
}
const isOff = async (broker: SimulatedBroker): Promise<boolean> =>
  (await broker.admin.get<Machine>('/machines/p-1')).power === 'off'
const holders = async (broker: SimulatedBroker): Promise<string[]> =>
  (await broker.admin.get<{ desktops: Desktop[] }>('/desktops')).desktops.map(
    ({ holder }) => holder,
  )
const soon = { withinMs: 20_000, everyMs: 50 }

t.test('a guest that is killed is not given back; one that is shut down is', async (t) => {
  const broker = await place(t, 'release')
  const host = broker.host()
  for (const [qemu, libvirt] of [
    [null, 'Stopped Failed'],
    [null, 'Stopped Destroyed'],
    ['host-signal', 'Stopped Shutdown'],
    [null, 'Stopped Shutdown'],
  ] as const) {
    host.end('p-1', qemu, libvirt)
    await until(async () => await isOff(broker), { ...soon, what: 'it is seen off' })
    const waitedMs = performance.now() + 3_000 // nobody says more for longer than Berth waits for it
    await until(() => performance.now() > waitedMs, { ...soon, what: 'nobody has said more' })
    t.same(await holders(broker), ['ann'], `${qemu ?? 'nothing'}, ${libvirt}`)
    await given(broker) // she asks again, and it is started
  }
  host.end('p-1', 'guest-shutdown', 'Stopped Shutdown')
  await until(async () => (await holders(broker)).length === 0, { ...soon, what: 'it is released' })
})
