import t, { type Test } from 'tap'
import { until } from '../support/until.js'
import { waiting } from './answers.js'
import { recordingViewers } from './recording-viewers.js'
import { CHOOSE, LOGIN, onTerminal, stage } from './login-stage.js'
import type { BrokerStandIn } from './broker-stand-in.js'

t.setTimeout(240_000)

t.test(
  'name and password on the terminal, without echo; a wrong one is said; then a choice by number',
  async (t) => {
    const { broker, directory, args } = await stage(t, 'tty')
    const viewers = recordingViewers(directory)
    broker.react(LOGIN, (response) => {
      held.push(() => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
      })
    })
    const held: Array<() => void> = []
    let answer: unknown = CHOOSE
    refuseWrongPasswords(broker)
    const terminal = onTerminal(t, [...args, '--display', 'existing'], { PATH: viewers.path })
    await logsInAtTheSecondTry(t, terminal, broker, held)
    held.shift()?.()
    await terminal.says('1  office  (2 free)')
    await terminal.says('0  log out')
    terminal.type('7\r')
    await terminal.says('Type the number of a desktop.')
    terminal.type('2\r')
    await until(() => broker.wishes.length === 3, { withinMs: 10_000, what: 'the choice came' })
    t.match(broker.wishes[2], { path: 'choose', body: { machine: 'lab-7' } })
    await until(() => held.length > 0, { withinMs: 10_000, what: 'it asks on' })
    answer = waiting({
      person: 'ann',
      sentence: 'All are taken.',
      mark: 'queue',
      askAgainMs: 600_000,
    })
    held.shift()?.()
    await terminal.says('Press Esc to log out.')
    terminal.type('\u001b')
    await until(() => broker.wishes.length === 4, { withinMs: 10_000, what: 'the log-out came' })
    t.match(broker.wishes[3], { path: 'logout' })
    t.match(
      broker.questions[0]?.body,
      { ended: true },
      'a device that is switched on says that nobody sits there',
    )
    t.notMatch(broker.questions[1]?.body, { ended: true })
  },
)

function refuseWrongPasswords(broker: BrokerStandIn) {
  broker.answerWishes(({ path, body }) =>
    path === 'login' && body['password'] !== 'right pässword'
      ? {
          status: 401,
          body: {
            code: 'unauthenticated',
            message: 'The name or the password is wrong.',
            requestId: 'x',
          },
        }
      : path === 'login'
        ? { status: 200, body: { name: 'ann' } }
        : { status: 204, body: null },
  )
}

async function logsInAtTheSecondTry(
  t: Test,
  terminal: ReturnType<typeof onTerminal>,
  broker: BrokerStandIn,
  held: (() => void)[],
): Promise<void> {
  await terminal.says('Name: _')
  await terminal.says('press Enter alone to log in with The corporation')
  terminal.type('anm\u007fn\u001b[A')
  await terminal.says('Name: ann_')
  terminal.type('\r')
  await terminal.says('Password: _')
  terminal.type('wrong\r')
  await terminal.says('The name or the password is wrong.')
  await terminal.says('Name: ann_')
  terminal.type('\rright pässword\r')
  await until(() => broker.wishes.length === 2 && held.length > 0, {
    withinMs: 10_000,
    what: 'both tries came',
  })
  t.match(
    broker.wishes.map(({ path, body }) => [path, body['name'], body['password']]),
    [
      ['login', 'ann', 'wrong'],
      ['login', 'ann', 'right pässword'],
    ],
  )
  t.notMatch(terminal.screen(), /right/)
}

t.test('a code and an address for OpenID Connect; Esc goes back; a refusal is said', async (t) => {
  const { broker, args } = await stage(t, 'oidc')
  broker.react({
    ...LOGIN,
    ways: { password: false, providers: [{ name: 'corp', title: 'The corporation' }] },
  })
  let polls = 0
  broker.answerWishes(({ path }) =>
    path === 'login/provider'
      ? {
          status: 200,
          body: {
            userCode: 'ABCD-EFGH',
            verificationUri: 'https://login.example/device',
            verificationUriComplete: null,
            expiresAt: new Date(Date.now() + 60_000).toISOString(),
            intervalMs: 10,
            handle: 'h1',
          },
        }
      : ++polls < 2
        ? { status: 200, body: { name: null } }
        : {
            status: 401,
            body: {
              code: 'unauthenticated',
              message: 'This login is unknown or too old: begin again.',
              requestId: 'x',
            },
          },
  )
  const terminal = onTerminal(t, [...args, '--display', 'existing'], {})
  await terminal.says('Press Enter to log in with The corporation.')
  terminal.type('\r')
  await terminal.says('ABCD-EFGH')
  await terminal.says('https://login.example/device')
  await terminal.says('This login is unknown or too old: begin again.')
  t.match(
    broker.wishes.map(({ path }) => path),
    ['login/provider', 'login/provider/poll', 'login/provider/poll'],
  )
  t.match(broker.wishes[1]?.body, { handle: 'h1' })
})

t.test("answers of a bad broker to a person's wishes kill nothing", async (t) => {
  const { broker, args } = await stage(t, 'bad')
  broker.react(LOGIN)
  const bad = [
    { status: 200, body: { userCode: 7 } },
    { status: 500, body: 'nonsense' },
    { status: 302, body: {} },
    { status: 200, body: null },
  ]
  broker.answerWishes(() => bad.shift() ?? { status: 204, body: null })
  const terminal = onTerminal(t, [...args, '--display', 'existing'], {})
  for (const said of [
    'is not understood',
    'refused with 500',
    'sends this device elsewhere',
    'is not understood',
    'is not understood',
  ]) {
    await terminal.says('Name: _')
    terminal.type('\r')
    await terminal.says(said)
    terminal.type('\u001b')
    await until(() => !terminal.screen().includes(said), {
      withinMs: 5_000,
      what: 'the sentence is gone',
    })
  }
  t.equal(broker.wishes.length, 5)
})
