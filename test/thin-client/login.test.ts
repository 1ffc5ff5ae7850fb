import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { until } from '../support/until.js'
import { bundleAgent, startAgent } from './agent-under-test.js'
import { ready, waiting } from './answers.js'
import { type BrokerStandIn, startBroker } from './broker-stand-in.js'
import { isAlive, recordingViewers } from './recording-viewers.js'
import { colourAt, photograph, startDisplay } from './x-display.js'

t.setTimeout(240_000)
const run = promisify(execFile)
const home = mkdtempSync(join(tmpdir(), 'berth-agent-login-'))
t.teardown(() => {
  rmSync(home, { recursive: true, force: true })
})
const bundle = await bundleAgent(home)

const LOGIN = waiting({
  state: 'login',
  sentence: 'Log in to get your desktop.',
  mark: 'login',
  askAgainMs: 600_000,
  ways: { password: true, providers: [{ name: 'corp', title: 'The corporation' }] },
})
const CHOOSE = waiting({
  state: 'choose',
  sentence: 'ann, choose a desktop.',
  mark: 'choose',
  askAgainMs: 600_000,
  person: 'ann',
  choices: [
    { kind: 'pool', name: 'office', state: 'free', sentence: '2 free' },
    { kind: 'machine', name: 'lab-7', state: 'yours', sentence: 'yours' },
  ],
})

async function stage(
  t: Test,
  name: string,
): Promise<{ broker: BrokerStandIn; directory: string; args: string[] }> {
  const directory = join(home, name)
  const broker = await startBroker(directory)
  t.teardown(async () => {
    await broker.close()
  })
  return {
    broker,
    directory,
    args: [
      '--broker',
      `127.0.0.1:${broker.port}`,
      '--ca',
      broker.fingerprint,
      '--state-dir',
      join(directory, 'state'),
    ],
  }
}

/** The agent on a terminal of its own (script(1)), as on the first console of a device. */
function onTerminal(
  t: Test,
  args: readonly string[],
  environment: Record<string, string>,
): { screen: () => string; type: (keys: string) => void; says: (text: string) => Promise<void> } {
  const words = ['env', '-u', 'NODE_OPTIONS', process.execPath, bundle, ...args]
    .map((word) => `'${word}'`)
    .join(' ')
  const child = spawn('script', ['-qfec', words, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH ?? '', ...environment },
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  t.teardown(async () => {
    child.stdin.write('\u0003')
    await until(() => child.exitCode !== null || child.signalCode !== null, {
      withinMs: 15_000,
      what: 'the agent has ended',
    })
  })
  const screen = (): string => text.split('\u001b[2J').at(-1) ?? ''
  return {
    screen,
    type: (keys) => {
      child.stdin.write(keys)
    },
    says: async (wanted) => {
      await until(() => screen().includes(wanted), {
        withinMs: 10_000,
        what: `the screen says ${wanted}`,
      }).catch((error: unknown) => {
        throw new Error(`it shows ${screen()}`, { cause: error })
      })
    },
  }
}

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
    const terminal = onTerminal(t, [...args, '--display', 'existing'], { PATH: viewers.path })
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

t.test(
  'on an X display: a window to log in, closed for the viewer; a notice over the viewer, once',
  async (t) => {
    const { broker, directory, args } = await stage(t, 'window')
    const display = await startDisplay(t)
    const viewers = recordingViewers(directory)
    viewers.behave('exec xterm -fullscreen -bg blue -e sleep 600')
    let held: (() => void) | undefined
    broker.react(LOGIN, (response) => {
      held = () => {
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify(ready({ person: 'ann' })))
      }
    })
    const agent = startAgent(bundle, [...args, '--display', 'existing'], {
      DISPLAY: display,
      PATH: viewers.path,
      HOME: directory,
    })
    t.teardown(async () => {
      await agent.stop()
    })
    const key = async (...words: string[]): Promise<void> => {
      await run('xdotool', words, { env: { ...process.env, DISPLAY: display } })
    }
    const { stdout: window } = await until(
      async () =>
        await run('xdotool', ['search', '--name', '^Berth$'], {
          env: { ...process.env, DISPLAY: display },
        }),
      { withinMs: 15_000, everyMs: 200, what: 'the window is there' },
    )
    t.equal(
      statSync(join(directory, 'state')).mode & 0o777,
      0o700,
      "its socket lies where only the agent's user gets in",
    )
    await until(
      async () => {
        await photograph(display, join(directory, 'login.png'))
        return (
          (await run('convert', [join(directory, 'login.png'), '-format', '%k', 'info:']))
            .stdout !== '1'
        )
      },
      { withinMs: 10_000, everyMs: 200, what: 'the window shows something' },
    )
    await until(() => held !== undefined, { withinMs: 10_000, what: 'it waits for news' })
    await key('windowfocus', '--sync', window.trim(), 'type', 'ann')
    await key('key', 'Return')
    await key('type', 'sesame-93817')
    await key('key', 'Return')
    await until(() => broker.wishes.length === 1, { withinMs: 10_000, what: 'the login came' })
    t.match(broker.wishes[0], { path: 'login', body: { name: 'ann', password: 'sesame-93817' } })
    t.notMatch(agent.screen() + agent.log(), /sesame-93817/)
    held?.()
    const { pid, processes } = await viewers.recorded('remote-viewer')
    t.notMatch(processes, /sesame-93817/)
    await until(
      async () =>
        await run('xdotool', ['search', '--name', '^Berth$'], {
          env: { ...process.env, DISPLAY: display },
        }).then(
          () => false,
          () => true,
        ),
      { withinMs: 10_000, what: 'the window is closed' },
    )
    await until(
      async () => {
        await photograph(display, join(directory, 'viewer.png'))
        return (await colourAt(join(directory, 'viewer.png'), 990, 60))[2] > 200
      },
      { withinMs: 15_000, everyMs: 200, what: 'the viewer fills the screen' },
    )
    broker.tell({
      notice: {
        id: 'n1',
        sentence: 'Your session ends in 14 minutes: save your work, or extend it.',
        takenAt: new Date().toISOString(),
      },
      over: null,
    })
    await until(
      async () => {
        await photograph(display, join(directory, 'notice.png'))
        const [red, green, blue] = await colourAt(join(directory, 'notice.png'), 990, 60)
        return red === 255 && green === 165 && blue === 0
      },
      { withinMs: 15_000, everyMs: 200, what: 'the notice lies over the viewer' },
    )
    t.same(
      (await colourAt(join(directory, 'notice.png'), 100, 600))[2],
      255,
      'and the viewer goes on beneath it',
    )
    t.ok(isAlive(pid))
    await until(() => broker.reports.filter((report) => report.have === 'n1').length >= 1, {
      withinMs: 10_000,
      what: 'the next report names the notice',
    })
    t.equal((agent.log().match(/Shown over the viewer/g) ?? []).length, 1)
    broker.react(LOGIN)
    broker.tell({ notice: null, over: 'You have logged in at another thin client.' })
    await until(() => !isAlive(pid), { withinMs: 10_000, what: 'the viewer was ended' })
  },
)
