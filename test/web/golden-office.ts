import type { JobRef } from '../../broker/api/images.js'
import type { MachinesAndJob } from '../../broker/api/machines.js'
import { office } from '../broker/pools/office.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'

/**
 * An office whose golden machine has an initial, `gold`, with one image and populated machines
 * pc-1, pc-2, … on two hypervisors.
 */
export async function goldenOffice(machines: number): Promise<SimulatedBroker> {
  const broker = await office()
  const { admin } = broker
  const made = async (body: object): Promise<void> => {
    await admin.succeeded((await admin.post<MachinesAndJob>('/machines', body)).job ?? '')
  }
  await made({ name: 'gold', type: 'initial', parent: 'golden-desktop', hypervisors: ['hv1'] })
  await made({
    name: 'pc-{n}',
    type: 'vdi',
    parent: 'gold',
    count: machines,
    hypervisors: ['hv1', 'hv2'],
    memoryMib: 1024,
  })
  await until(
    async () => (await broker.rows("SELECT 1 FROM machine WHERE power = 'unknown'")).length === 0,
    {
      withinMs: 10_000,
      what: 'every machine is seen',
    },
  )
  await admin.succeeded((await admin.post<JobRef>('/machines/gold/copy')).job)
  await admin.succeeded((await admin.post<JobRef>('/machines/gold/populate')).job)
  return broker
}
