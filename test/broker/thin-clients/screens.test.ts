import t from 'tap'
import { type Screen, SCREEN_CLOSES, type Session } from '../../../broker/api/consoles.js'
import { ApiClient } from '../../support/api-client.js'
import { type OpenScreen, openScreen } from '../../support/rfb-client.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { startDisplay } from '../consoles/rfb-display.js'
import { account, device, PASSWORD, peopleOffice, sitDown } from './people-office.js'

t.setTimeout(120_000)

async function open(
  broker: SimulatedBroker,
  name: string,
  machine: string,
  body: object,
): Promise<OpenScreen> {
  const { token } = await broker.anybody.post<{ token: string }>('/login', {
    name,
    password: PASSWORD,
  })
  const { ticket } = await new ApiClient(broker.url, broker.ca, token).post<Screen>(
    `/machines/${machine}/screen`,
    body,
  )
  const screen = await openScreen(
    { url: broker.url, ca: broker.ca, machine, headers: { authorization: `Bearer ${token}` } },
    ticket,
  )
  await (await screen.viewer.begin()).frame()
  return screen
}

t.test(
  'who sits at a thin client is told who looks at his screen, and takes it along into a browser',
  async (t) => {
    const broker = await peopleOffice()
    const display = await startDisplay()
    t.teardown(async () => {
      await broker.remove()
      await display.close()
    })
    broker.host().onDisplay = () => display.connection()
    await account(broker, 'alice')
    await account(broker, 'carol', ['start', 'accessConsole', 'takeConsole'])
    const [desk, other] = [await device(broker), await device(broker)]
    const machine = await sitDown(broker, desk, 'alice')
    t.match(await desk.watch(machine), { notice: null })
    const held = desk.watch(machine, { waitMs: 20_000 })
    const watching = await open(broker, 'carol', machine, { watch: true })
    const { notice } = await held
    t.match(notice, { sentence: 'carol is looking at this screen.', takenAt: null })
    t.match(
      await other.watch(machine),
      { notice: null },
      'a device that only says that it shows it learns nothing',
    )
    const after = desk.watch(machine, { have: notice?.id ?? '', waitMs: 20_000 })
    watching.webSocket.close()
    t.match(await after, { notice: null }, 'and when she has left')
    t.ok(broker.host().viewers.has(machine), 'his viewer was left alone')

    const mine = await open(broker, 'alice', machine, {})
    await until(() => !broker.host().viewers.has(machine), {
      withinMs: 5_000,
      what: 'the viewer of the thin client ends',
    })
    await until(
      async () =>
        (await broker.admin.get<{ sessions: Session[] }>('/sessions')).sessions
          .map(({ via }) => via)
          .join() === 'browser',
      { withinMs: 5_000, what: 'only the browser is there' },
    )
    t.match(await desk.ask(), { state: 'login' }, 'the device does not take it back by itself')
    await broker.admin.post(`/machines/${machine}/release`, { force: true })
    t.match(await mine.closed, { code: SCREEN_CLOSES.over.code }, 'the release ends it')
  },
)
