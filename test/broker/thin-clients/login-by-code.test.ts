import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { until } from '../../support/until.js'
import { type OpenIdProvider, startProvider, Walker } from '../users/openid-provider.js'
import { corporationSettings } from '../users/openid-office.js'
import { device, listed, peopleOffice, untilLogin } from './people-office.js'
import { freePort } from '../../support/free-port.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import type { Desk } from './desk.js'

t.setTimeout(360_000)

interface Begun {
  readonly userCode: string
  readonly verificationUri: string
  readonly intervalMs: number
  readonly expiresAt: string
  readonly handle: string
}

t.test(
  'a code on the screen of a thin client, confirmed in any browser, by a real provider',
  async (t) => {
    const { broker, provider } = await corporationOffice(t)
    const confirm = async ({ verificationUri, userCode }: Begun): Promise<void> => {
      const browser = new Walker([broker.ca, readFileSync(provider.ca, 'utf8')])
      const tokenIn = (text: string): string | undefined =>
        /name="xsrf" value="([^"]+)"/.exec(text)?.[1]
      const form = await browser.open(verificationUri)
      const shown = await browser.post(verificationUri, {
        xsrf: tokenIn(form.text) ?? '',
        user_code: userCode,
      })
      await browser.post(verificationUri, {
        xsrf: tokenIn(shown.text) ?? tokenIn(form.text) ?? '',
        user_code: userCode,
        confirm: 'yes',
      })
    }
    const desk = await device(broker)
    t.match(
      await desk.ask(),
      {
        state: 'login',
        ways: { password: false, providers: [{ name: 'corp', title: 'The corporation' }] },
      },
      'nobody but an administrator has a password',
    )
    t.match(await desk.person('login/provider', { provider: 'nobody' }), { status: 404 })
    const begin = async (): Promise<Begun> =>
      await until(
        async () => {
          const { status, body } = await desk.person<Begun>('login/provider', { provider: 'corp' })
          return status === 200 ? body : null
        },
        { withinMs: 10_000, everyMs: 200, what: 'a login is begun' },
      )
    const poll = async (handle: string) =>
      await desk.person<{ name: string | null; message: string }>('login/provider/poll', { handle })
    const untilAnswered = async (handle: string) =>
      await until(
        async () => {
          const answer = await poll(handle)
          return answer.status !== 200 || answer.body.name !== null ? answer : null
        },
        { withinMs: 20_000, everyMs: 300, what: 'the provider has an answer' },
      )

    const begun = await begin()
    t.match(begun, {
      userCode: /.{4,}/,
      verificationUri: `${provider.issuer}/device`,
      intervalMs: 5_000,
      expiresAt: /T.*Z$/,
    })
    t.match(
      await desk.person('login/provider', { provider: 'corp' }),
      { status: 429 },
      'not again at once',
    )
    t.match(await poll(begun.handle), { status: 200, body: { name: null } })
    await confirm(begun)
    t.match(await untilAnswered(begun.handle), {
      status: 200,
      body: { name: 'alice@example.test' },
    })
    t.match(await desk.askUntil('ready', 10_000), { person: 'alice@example.test' })
    t.match(await listed(broker, desk), { person: 'alice@example.test' })
    await desk.person('logout')

    await tooLateOrWithoutDesktop(t, begin, broker, untilAnswered, provider, confirm, desk)
  },
)

async function corporationOffice(t: Test) {
  const port = await freePort()
  const provider = await startProvider(`https://127.0.0.1:${port}`)
  const settings = corporationSettings(provider, { Desks: ['staff'] })
  provider.claims = {
    'sub-1': { preferred_username: 'alice@example.test', groups: ['desks'] },
    'sub-2': { preferred_username: 'bob@example.test', groups: [] },
  }
  const broker = await peopleOffice({ config: { listenPort: port, oidcProviders: [settings] } })
  t.teardown(async () => {
    await broker.remove()
    await provider.remove()
  })
  await broker.admin.put('/grants', {
    kind: 'pool',
    object: 'p',
    subjectKind: 'role',
    subject: 'staff',
    verbs: ['start', 'accessConsole'],
  })
  return { broker, provider }
}

async function tooLateOrWithoutDesktop(
  t: Test,
  begin: () => Promise<Begun>,
  broker: SimulatedBroker,
  untilAnswered: (
    handle: string,
  ) => Promise<{ status: number; body: { name: string | null; message: string } }>,
  provider: OpenIdProvider,
  confirm: ({ verificationUri, userCode }: Begun) => Promise<void>,
  desk: Desk,
): Promise<void> {
  const late = await begin()
  await broker.run('UPDATE login_flow SET expires_at = 1')
  t.match(
    await untilAnswered(late.handle),
    { status: 401, body: { message: 'This login is unknown or too old: begin again.' } },
    'a code that has run out',
  )
  provider.who = 'sub-2'
  const poor = await begin()
  await confirm(poor)
  t.match(await untilAnswered(poor.handle), {
    status: 403,
    body: { message: /^bob@example\.test may use no desktop at this screen/ },
  })
  await untilLogin(desk, /Log in/)
  t.match(await listed(broker, desk), { person: null })
}
