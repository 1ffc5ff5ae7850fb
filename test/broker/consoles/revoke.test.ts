import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { Holder } from '../../../broker/api/machines.js'
import { BERTH } from '../../../broker/audit/store.js'
import type { Asker, ConsoleMachine } from '../../../broker/consoles/asker.js'
import { Consoles } from '../../../broker/consoles/service.js'
import type { ConsoleTaken } from '../../../broker/events/map.js'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { Engine } from '../../support/simulated-engine.js'
import { until } from '../../support/until.js'

const ALICE: Asker = { kind: 'person', name: 'alice', address: '10.1.1.1' }
const BOB: Asker = { kind: 'person', name: 'bob', address: '10.1.1.2' }

interface Stage {
  readonly engine: Engine
  readonly host: SimulatedHost
  readonly consoles: Consoles
  readonly machine: ConsoleMachine
  may: Record<'take' | 'know' | 'stay', boolean>
}

/** The running machine pc-1 at whose console alice is. */
async function stage(t: Test): Promise<Stage> {
  const host = new SimulatedHost('hv1')
  const engine = await Engine.start({ hosts: [host] })
  await engine.addHypervisors()
  const {
    machines: [machine],
    job,
  } = await engine.machines.create(
    { name: 'pc-1', type: 'simple', hypervisors: ['hv1'], memoryMib: 64, diskGib: 1 },
    BERTH,
  )
  if (!machine) throw new Error('no machine was made')
  await engine.succeeded(job)
  await engine.succeeded(await engine.machines.power('pc-1', { action: 'start' }, BERTH))
  const may = { take: false, know: false, stay: true }
  const consoles = new Consoles({
    store: engine.store,
    events: engine.events,
    hypervisors: engine.hypervisors,
    observer: engine.observer,
    log: pino({ level: 'silent' }),
    ca: 'CA',
    now: Date.now,
    proxyPort: 0,
    listenAddress: '127.0.0.1',
    publicName: 'broker',
    mayTake: async () => may.take,
    mayKnow: async () => may.know,
    mayStay: async (stays) => stays.map(() => may.stay),
    loginLives: async () => true,
    refuseNotReady: async () => {},
    onTicket: async () => {},
    protocols: async () => [],
    features: async () => ({ clipboard: true, fileTransfer: true, usb: false }),
  })
  await consoles.start()
  t.teardown(async () => {
    await consoles.stop()
    await engine.remove()
  })
  await consoles.spiceConsole(machine, ALICE)
  const opened = new Promise((resolve) => {
    engine.events.subscribe('consoleOpened', resolve)
  })
  host.seat('pc-1', [ALICE.address])
  await opened
  return { engine, host, consoles, machine, may }
}

t.test(
  'who may not know is told nothing of whose console it is; who may not take it, cuts nobody',
  async (t) => {
    const { engine, consoles, machine, may, host } = await stage(t)
    await t.rejects(consoles.spiceConsole(machine, BOB), {
      code: 'console_in_use',
      message: 'Somebody else has the console of pc-1: wait until it is closed, or take it over.',
    })
    await t.rejects(consoles.spiceConsole(machine, BOB, { take: true }), { code: 'forbidden' })
    may.know = true
    await t.rejects(consoles.spiceConsole(machine, BOB), {
      message: /^alice \(10\.1\.1\.1, since /,
    })
    t.ok(host.viewers.has('pc-1'))
    may.take = true
    await t.rejects(
      consoles.spiceConsole(machine, BOB, { take: true, loginVerbs: new Set(['accessConsole']) }),
      { code: 'forbidden' },
      'a token that may only look takes nothing, whatever its account may',
    )
    await t.rejects(
      consoles.spiceConsole(machine, BOB, { loginVerbs: new Set(['accessConsole']) }),
      { message: /^Somebody else/ },
    )
    const taken: ConsoleTaken[] = []
    engine.events.subscribe('consoleTaken', (one) => {
      taken.push(one)
    })
    t.match(await consoles.spiceConsole(machine, BOB, { take: true }), {
      taken: { from: { name: 'alice' } },
      usb: false,
    })
    t.match(taken, [{ machineId: machine.id, from: { kind: 'person', name: 'alice' }, by: BOB }])
    t.notOk(host.viewers.has('pc-1'))
  },
)

t.test('release ends the console, and the ticket that was not used yet', async (t) => {
  const { consoles, machine, host, engine } = await stage(t)
  const carried: string[] = []
  consoles.tunnels.admit(
    { machineId: machine.id, holder: ALICE, address: ALICE.address, kind: 'forward' },
    ({ why, reason }) => {
      carried.push(`${why}: ${reason}`)
    },
  )
  consoles.tunnels.admit(
    { machineId: 'another', holder: ALICE, address: ALICE.address, kind: 'forward' },
    () => {
      carried.push("another machine's")
    },
  )
  await consoles.revoke(machine, BERTH, { kind: 'person', name: 'bob' })
  t.ok(host.viewers.has('pc-1'), "it is not bob's")
  await consoles.revoke(machine)
  t.notOk(host.viewers.has('pc-1'))
  t.same(carried, ['over: the console was revoked'])
  t.same(await engine.store.selectFrom('console_seat').selectAll().execute(), [])
  t.match(await consoles.spiceConsole(machine, BOB), { protocol: 'spice' }, 'the next one gets it')
  await consoles.revoke(machine)
  host.link?.setUp(false)
  await t.rejects(consoles.revoke(machine), { code: 'hypervisor_unreachable' })
})

t.test('a permission that is withdrawn ends what is open', async (t) => {
  const { engine, consoles, host, may } = await stage(t)
  await consoles.checkStay()
  t.ok(host.viewers.has('pc-1'))
  const closed = new Promise<Holder | null>((resolve) => {
    engine.events.subscribe('consoleClosed', (_machine, holder) => {
      resolve(holder)
    })
  })
  may.stay = false
  await consoles.checkStay()
  t.notOk(host.viewers.has('pc-1'))
  t.match(await closed, { kind: 'person', name: 'alice' })
  await until(async () => (await consoles.sessions()).length === 0, {
    withinMs: 5_000,
    what: 'nobody is connected',
  })
})
