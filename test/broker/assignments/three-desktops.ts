import type { ClaimAnswer } from '../../../broker/api/assignments.js'
import { addPerson } from '../../support/people.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { office, poolOf } from '../pools/office.js'

/* Ten faults that systems of this kind have had. */
export async function place(
  t: { teardown: (act: () => Promise<void>) => void },
  size: number,
  policy: object = {},
  hosts = 2,
): Promise<SimulatedBroker> {
  const broker = await office({ hosts })
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'p', size, policy)
  return broker
}
export const claim = async (broker: SimulatedBroker, name: string): Promise<ClaimAnswer> =>
  await (await addPerson(broker, name)).post<ClaimAnswer>('/pools/p/claim', { waitMs: 5_000 })
export const everyone = async (broker: SimulatedBroker): Promise<void> => {
  await broker.admin.put('/grants', {
    kind: 'pool',
    object: 'p',
    subjectKind: 'role',
    subject: 'user',
    verbs: ['start', 'accessConsole', 'release'],
  })
}
export const hostOf = async (broker: SimulatedBroker, machine: string) =>
  broker.host(
    (
      await broker.rows<{ hypervisor: string }>(
        'SELECT hypervisor FROM machine WHERE name = ?',
        machine,
      )
    )[0]?.hypervisor,
  )
