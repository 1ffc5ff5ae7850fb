import { type Test } from 'tap'
import { type Screen, type Session } from '../../../broker/api/consoles.js'
import { ApiClient } from '../../support/api-client.js'
import { type OpenScreen, openScreen } from '../../support/rfb-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { type RfbDisplay, startDisplay } from './rfb-display.js'

export interface Person {
  readonly name: string
  readonly api: ApiClient
  readonly token: string
}
export interface Stage {
  readonly broker: SimulatedBroker
  readonly display: RfbDisplay
  readonly person: (name: string, ...verbs: string[]) => Promise<Person>
}

/** The running machine pc-1 with a display. */
export async function stage(t: Test): Promise<Stage> {
  const broker = await SimulatedBroker.start()
  const display = await startDisplay()
  t.teardown(async () => {
    await broker.remove()
    await display.close()
  })
  await broker.addHypervisors()
  broker.host().onDisplay = () => display.connection()
  await broker.admin.done('/machines', {
    name: 'pc-1',
    type: 'simple',
    hypervisors: ['hv1'],
    memoryMib: 64,
    diskGib: 1,
  })
  await broker.admin.done('/machines/pc-1/power', { action: 'start' })
  const person = async (name: string, ...verbs: string[]): Promise<Person> => {
    await broker.admin.post('/users', { name, password: 'a long password of theirs' })
    await broker.admin.put('/grants', {
      kind: 'machine',
      object: 'pc-1',
      subjectKind: 'user',
      subject: name,
      verbs,
    })
    const { token } = await broker.anybody.post<{ token: string }>('/login', {
      name,
      password: 'a long password of theirs',
    })
    return { name, token, api: new ApiClient(broker.url, broker.ca, token) }
  }
  return { broker, display, person }
}

export const ask = async (who: Pick<Person, 'api'>, body: object = {}): Promise<Screen> =>
  await who.api.post<Screen>('/machines/pc-1/screen', body)
export const show = async (
  { broker }: Stage,
  { token }: Pick<Person, 'token'>,
  ticket: string | Buffer,
  headers: object = {},
): Promise<OpenScreen> =>
  await openScreen(
    {
      url: broker.url,
      ca: broker.ca,
      machine: 'pc-1',
      headers: { authorization: `Bearer ${token}`, ...headers },
    },
    ticket,
  )
/** Asks, opens and sees the first picture. */
export async function open(it: Stage, who: Person, body: object = {}): Promise<OpenScreen> {
  const screen = await show(it, who, (await ask(who, body)).ticket)
  await (await screen.viewer.begin()).frame()
  return screen
}
const sessions = async ({ broker }: Stage): Promise<Session[]> =>
  (await broker.admin.get<{ sessions: Session[] }>('/sessions')).sessions
export const actions = async ({ broker }: Stage): Promise<string[]> =>
  (
    await broker.rows<{ action: string; actor: string }>(
      "SELECT actor, action FROM event WHERE action LIKE 'console.%' ORDER BY id",
    )
  ).map(({ actor, action }) => `${actor} ${action}`)
export async function connected(it: Stage, addresses: string[]): Promise<void> {
  it.broker.host().seat('pc-1', addresses)
  await until(
    async () =>
      (await it.broker.admin.get<{ viewers: string[] }>('/machines/pc-1')).viewers.join() ===
      addresses.join(),
    { withinMs: 5_000, everyMs: 10, what: 'the broker sees who is connected' },
  )
}
export const seated = async (it: Stage, count: number): Promise<Session[]> =>
  await until(
    async () => {
      const found = await sessions(it)
      return found.length === count ? found : null
    },
    { withinMs: 5_000, everyMs: 10, what: `${count} sessions` },
  )
