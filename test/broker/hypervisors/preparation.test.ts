import { rmSync } from 'node:fs'
import { pino } from 'pino'
import t from 'tap'
import { BERTH } from '../../../broker/audit/store.js'
import { refusal } from '../../../broker/errors/broker-error.js'
import { Events } from '../../../broker/events/bus.js'
import { Hypervisors } from '../../../broker/hypervisors/service.js'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { SimulatedLink } from '../../../broker/hypervisors/simulated-link.js'
import { Occupancy } from '../../../broker/occupancy/occupancy.js'
import { openStore } from '../../../broker/store/open.js'
import { temporaryDirectory } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { databaseIn } from '../../support/database.js'

t.test('a host that could not be made ready says so, and is made ready later', async (t) => {
  const directory = temporaryDirectory()
  const store = await openStore(await databaseIn(directory))
  const host = new SimulatedHost('hv1')
  let tries = 0
  const events = new Events(pino({ level: 'silent' }))
  const hypervisors = new Hypervisors({
    store,
    events,
    log: pino({ level: 'silent' }),
    occupancy: new Occupancy({ monotonicMs: () => performance.now(), maxAgeMs: 60_000 }),
    openLink: (_name, settings, events) => new SimulatedLink(host, { settings, events }),
    prepare: async () => {
      tries += 1
      if (tries <= 2) throw refusal('host_full', { hypervisor: 'hv1', said: 'its disk is full.' })
    },
  })
  const ready: string[] = []
  events.subscribe('hypervisorReady', (name) => {
    ready.push(name)
  })
  await hypervisors.add(
    { name: 'hv1', address: '10.0.0.1', fingerprint: `SHA256:${'a'.repeat(43)}` },
    BERTH,
  )
  const reason = async (): Promise<string> => (await hypervisors.show('hv1')).reason
  await until(async () => (await reason()).includes('its disk is full'), {
    withinMs: 5_000,
    what: 'it says why it is not ready',
  })
  t.same(ready, [])
  await until(() => ready.length === 1, { withinMs: 10_000, what: 'it is ready' })
  t.equal(tries, 3)
  t.equal(await reason(), '')
  tries = 0
  host.link?.setUp(false)
  host.link?.setUp(true)
  await until(() => tries === 1, { withinMs: 5_000, what: 'it is prepared again' })
  host.link?.setUp(false)
  await hypervisors.stop()
  t.equal(tries, 1, 'and not while its connection is down')
  await store.destroy()
  rmSync(directory, { recursive: true })
})
