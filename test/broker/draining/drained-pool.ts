import { type Test } from 'tap'
import type { ClaimAnswer } from '../../../broker/api/assignments.js'
import type { DrainState } from '../../../broker/api/drains.js'
import type { AuditEvent } from '../../../broker/api/users.js'
import { addPerson } from '../../support/people.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { office, poolOf, show } from '../pools/office.js'

export async function place(t: Test, size: number, policy: object = {}): Promise<SimulatedBroker> {
  const broker = await office({ hosts: 2 })
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'p', size, policy)
  await broker.admin.put('/grants', {
    kind: 'pool',
    object: 'p',
    subjectKind: 'role',
    subject: 'user',
    verbs: ['start', 'accessConsole', 'release'],
  })
  return broker
}
export const claim = async (broker: SimulatedBroker, name: string): Promise<string> =>
  (await (await addPerson(broker, name)).post<ClaimAnswer>('/pools/p/claim', { waitMs: 5_000 }))
    .desktop?.machine ?? ''
export const hostOf = async (broker: SimulatedBroker, machine: string): Promise<string> =>
  (
    await broker.rows<{ hypervisor: string }>(
      'SELECT hypervisor FROM machine WHERE name = ?',
      machine,
    )
  )[0]?.hypervisor ?? ''
export const drain = async (
  broker: SimulatedBroker,
  host: string,
  wish: object = {},
): Promise<DrainState> => await broker.admin.post<DrainState>(`/hypervisors/${host}/drain`, wish)
export const state = async (broker: SimulatedBroker, host: string): Promise<DrainState> =>
  await broker.admin.get<DrainState>(`/hypervisors/${host}/drain`)
export const actions = async (broker: SimulatedBroker, object: string): Promise<string[]> =>
  (
    await broker.admin.get<{ events: AuditEvent[] }>(`/events?object=${encodeURIComponent(object)}`)
  ).events
    .map(({ action }) => action)
    .reverse()
export const members = async (broker: SimulatedBroker): Promise<string[]> =>
  (await show(broker, 'p')).members.map(
    ({ machine, state, hypervisor }) => `${machine} ${state} ${hypervisor}`,
  )

export async function untilEmpty(broker: SimulatedBroker, host: string): Promise<DrainState> {
  return await until(
    async () => {
      const now = await state(broker, host)
      if (now.drain?.emptyAt == null) throw new Error(JSON.stringify(now))
      return now
    },
    { withinMs: 20_000, what: `${host} is empty` },
  )
}
