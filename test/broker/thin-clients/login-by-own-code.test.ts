import t, { type Test } from 'tap'
import type { CodeDevice } from '../../../broker/api/device-logins.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { ApiClient, ApiFault } from '../../support/api-client.js'
import { until } from '../../support/until.js'
import { account, device, listed, PASSWORD, peopleOffice } from './people-office.js'
import type { Desk } from './desk.js'

t.setTimeout(240_000)

interface Begun {
  readonly userCode: string
  readonly verificationUri: string
  readonly expiresAt: string
  readonly handle: string
}

async function clientOf(broker: SimulatedBroker, name: string): Promise<ApiClient> {
  const { token } = await broker.anybody.post<{ token: string }>('/login', {
    name,
    password: PASSWORD,
  })
  return new ApiClient(broker.url, broker.ca, token)
}

async function fault(asked: Promise<unknown>): Promise<ApiFault> {
  return await asked.then(
    () => {
      throw new Error('it was not refused')
    },
    (error: unknown) => {
      if (error instanceof ApiFault) return error
      throw error
    },
  )
}

t.test(
  'a code on the screen of a thin client, confirmed by a person who is logged in elsewhere',
  async (t) => {
    const broker = await peopleOffice()
    t.teardown(async () => {
      await broker.remove()
    })
    await account(broker, 'alice')
    await account(broker, 'poor', [])
    const alice = await clientOf(broker, 'alice')
    const desk = await device(broker)
    t.match(await desk.ask(), { state: 'login', ways: { code: true } })
    const begin = async (): Promise<Begun> =>
      await until(
        async () => {
          const { status, body } = await desk.person<Begun>('login/code')
          return status === 200 ? body : null
        },
        { withinMs: 10_000, everyMs: 200, what: 'a login is begun' },
      )
    const begun = await begin()
    t.match(begun, {
      userCode: /^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/,
      verificationUri: `${broker.url}/device`,
    })
    t.ok(Math.abs(Date.parse(begun.expiresAt) - Date.now() - 600_000) < 5_000, 'ten minutes')
    t.match(await desk.person('login/code/poll', { handle: begun.handle }), {
      status: 200,
      body: { name: null },
    })
    t.match(
      await alice.post<CodeDevice>('/device-login/look', {
        code: begun.userCode.toLowerCase().replace('-', ' '),
      }),
      { hostname: 'desk', mac: desk.macs[0], address: '127.0.0.1' },
    )
    t.equal(
      (
        await fault(
          (await clientOf(broker, 'poor')).post('/device-login/answer', {
            code: begun.userCode,
            confirm: true,
          }),
        )
      ).code,
      'forbidden',
      'one who may use nothing there',
    )
    await confirmedOnce(t, alice, begun, broker, desk)
    await desk.person('logout')

    await refusedReplacedAndTooLate(t, begin, alice, desk, broker)
  },
)

async function confirmedOnce(
  t: Test,
  alice: ApiClient,
  begun: Begun,
  broker: SimulatedBroker,
  desk: Desk,
): Promise<void> {
  await alice.post('/device-login/answer', { code: begun.userCode, confirm: true })
  t.match(await listed(broker, desk), { person: null }, 'not before the device asks')
  t.match(await desk.person('login/code/poll', { handle: begun.handle }), {
    status: 200,
    body: { name: 'alice' },
  })
  t.match(await desk.askUntil('ready', 10_000), { person: 'alice' })
  t.match(
    await desk.person('login/code/poll', { handle: begun.handle }),
    { status: 200, body: { name: 'alice' } },
    'told again, as the answer may have been lost',
  )
  t.match(await (await device(broker)).person('login/code/poll', { handle: begun.handle }), {
    status: 401,
  })
  t.equal(
    (await fault(alice.post('/device-login/answer', { code: begun.userCode, confirm: true }))).code,
    'not_found',
    'the code too',
  )
  t.equal(
    (
      await broker.rows(
        "SELECT 1 FROM event WHERE action = 'thin-client.confirm-code' AND actor = 'alice'",
      )
    ).length,
    1,
  )
}

async function refusedReplacedAndTooLate(
  t: Test,
  begin: () => Promise<Begun>,
  alice: ApiClient,
  desk: Desk,
  broker: SimulatedBroker,
): Promise<void> {
  const refused = await begin()
  await alice.post('/device-login/answer', { code: refused.userCode, confirm: false })
  t.match(await desk.person('login/code/poll', { handle: refused.handle }), {
    status: 401,
    body: { message: /refused in the browser/ },
  })

  const first = await begin()
  const second = await begin()
  t.equal(
    (await fault(alice.post('/device-login/look', { code: first.userCode }))).code,
    'not_found',
    'a new code takes the place of the old one',
  )
  await broker.run('UPDATE login_flow SET expires_at = 1')
  t.equal(
    (await fault(alice.post('/device-login/look', { code: second.userCode }))).code,
    'not_found',
    'it has run out',
  )
  t.match(await desk.person('login/code/poll', { handle: second.handle }), { status: 401 })
  t.equal(
    (await broker.rows('SELECT state FROM login_flow WHERE state LIKE ?', `%${second.handle}%`))
      .length,
    0,
    'the handle is kept as a hash',
  )
}

t.test(
  'another device has nothing from a handle, and who guesses codes has to wait, but may log in',
  async (t) => {
    const broker = await peopleOffice()
    t.teardown(async () => {
      await broker.remove()
    })
    await account(broker, 'alice')
    const alice = await clientOf(broker, 'alice')
    const [desk, thief] = [await device(broker), await device(broker)]
    const { body: begun } = await desk.person<Begun>('login/code')
    await alice.post('/device-login/answer', { code: begun.userCode, confirm: true })
    t.match(await thief.person('login/code/poll', { handle: begun.handle }), { status: 401 })
    const codes = []
    for (let n = 0; n < 7; n++)
      codes.push((await fault(alice.post('/device-login/look', { code: 'BBBB-BBBB' }))).code)
    t.same(codes, [
      'not_found',
      'not_found',
      'not_found',
      'not_found',
      'not_found',
      'too_many_requests',
      'too_many_requests',
    ])
    t.ok(await clientOf(broker, 'alice'), 'her password still works')
  },
)
