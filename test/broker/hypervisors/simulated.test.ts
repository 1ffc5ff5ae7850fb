import t from 'tap'
import type { HelperEvent } from '../../../broker/events/map.js'
import type { LinkStatus } from '../../../broker/hypervisors/hypervisor.js'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { SimulatedLink } from '../../../broker/hypervisors/simulated-link.js'
import { FINGERPRINT } from '../../support/simulated-broker.js'
import { linkContract } from './link-contract.js'
import type { LinkUnderTest } from './link-under-test.js'

const host = new SimulatedHost('hv1')

async function simulated(): Promise<LinkUnderTest> {
  const events: HelperEvent[] = []
  const statuses: LinkStatus[] = []
  const link = new SimulatedLink(host, {
    settings: () => ({
      name: 'hv1',
      address: '10.0.0.1',
      port: 22,
      hostKeyFingerprint: FINGERPRINT,
      directories: { images: '/images', overlays: '/overlays', transient: '/transient' },
    }),
    events: {
      onStatus: (status) => {
        statuses.push(status)
      },
      onEvent: (event) => {
        events.push(event)
      },
    },
  })
  await link.untilUp(1_000)
  return {
    link,
    events,
    statuses,
    virtType: 'qemu',
    cut: () => {
      link.setUp(false)
    },
    reconnect: () => {
      link.reconnect()
    },
    close: async () => {
      await link.close()
    },
  }
}

void t.test('the simulated host keeps the contract of a line', async (t) => {
  linkContract(t, simulated)
})
