import { ApiClient } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'

export const PASSWORD = 'correct horse battery'
export interface User {
  readonly name: string
  readonly roles: ReadonlyArray<{ role: string }>
  readonly blockedUntil: string | null
  readonly disabled: boolean
}

export async function started(
  t: Pick<typeof import('tap').t, 'teardown'>,
): Promise<SimulatedBroker> {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  return broker
}
export async function logIn(
  broker: SimulatedBroker,
  name: string,
  password = PASSWORD,
): Promise<ApiClient> {
  return new ApiClient(
    broker.url,
    broker.ca,
    (await broker.anybody.post<{ token: string }>('/login', { name, password })).token,
  )
}
