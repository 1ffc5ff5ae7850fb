import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test, test } from 'tap'
import type { AskAnswer } from '../../broker/api/thin-clients.js'
import { until } from '../support/until.js'
import { type AgentUnderTest, bundleAgent, startAgent } from './agent-under-test.js'
import { DEVICE_KEY, HORIZON, RDP, TICKET, ready, waiting } from './answers.js'
import { type BrokerStandIn, startBroker } from './broker-stand-in.js'
import { type RecordingViewers, isAlive, recordingViewers } from './recording-viewers.js'

interface Stage {
  readonly broker: BrokerStandIn
  readonly viewers: RecordingViewers
  readonly agent: AgentUnderTest
  readonly state: string
  readonly directory: string
}
interface Wishes {
  readonly args?: readonly string[]
  readonly viewers?: readonly string[]
  readonly behaviour?: string
}

t.setTimeout(240_000)

async function stage(t: Test, answers: readonly AskAnswer[], wishes: Wishes = {}): Promise<Stage> {
  const directory = t.testdir()
  const broker = await startBroker(join(directory, 'authority'))
  t.teardown(() => broker.close())
  broker.react(...answers)
  const viewers = recordingViewers(directory, wishes.viewers)
  if (wishes.behaviour !== undefined) viewers.behave(wishes.behaviour)
  const state = join(directory, 'state')
  const args = [
    '--broker',
    `127.0.0.1:${broker.port}`,
    '--ca',
    broker.fingerprint,
    '--state-dir',
    state,
    '--config',
    '/dev/null',
    ...(wishes.args ?? []),
  ]
  const agent = startAgent(await bundleAgent(directory), args, {
    PATH: viewers.path,
    DISPLAY: ':79',
  })
  t.teardown(() => agent.stop())
  return { broker, viewers, agent, state, directory }
}

test(
  'from first contact to the desktop and back: key kept, ticket on standard input only, ' +
    'reports, asked again',
  async (t) => {
    const { broker, viewers, agent, state } = await stage(t, [
      waiting({ deviceKey: DEVICE_KEY, sentence: 'Welcome.' }),
      ready(),
    ])
    const viewer = await viewers.recorded('remote-viewer')
    t.equal(readFileSync(join(state, 'device-key'), 'utf8'), `${DEVICE_KEY}\n`)
    t.equal(statSync(join(state, 'device-key')).mode & 0o777, 0o600)
    t.strictSame(
      broker.questions.map(({ authorization }) => authorization),
      [undefined, `Device ${DEVICE_KEY}`],
    )
    t.match(broker.questions[0]?.body, { hostname: String, version: /^\d+\.\d+\.\d+/, waitMs: 0 })
    t.match(broker.questions[0]?.body.macs[0], /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/)
    t.match(
      broker.questions[1]?.body,
      { have: 'm1', waitMs: 240_000 },
      'the broker may hold the second question',
    )
    t.match(viewer.input, `\npassword=${TICKET}\n`)
    t.equal(viewer.display, ':79')
    t.notMatch(viewer.processes, TICKET, 'no process shows the ticket in its arguments')
    t.notMatch(viewer.processes, DEVICE_KEY)
    t.match(viewer.processes, 'berth-thin-client.mjs', 'the processes were really looked at')
    await until(() => broker.reports.length > 0, { withinMs: 5000, what: 'a report' })
    t.match(broker.reports[0], { showing: { protocol: 'spice', title: 'pc-01' } })
    t.strictSame(readdirSync(state), ['device-key'], 'no other file, no ticket on the disk')
    process.kill(viewer.pid, 'SIGKILL')
    const again = await viewers.recorded('remote-viewer', 2)
    t.ok(isAlive(again.pid))
    t.strictSame(
      broker.questions[2]?.body.have,
      undefined,
      'after a viewer the answer must come at once',
    )
    t.match(broker.questions[2]?.body.note, /remote-viewer was ended by SIGKILL/)
    t.ok(broker.reports.some(({ showing }) => showing === null))
    t.strictSame(await agent.stop(), { code: 0, signal: null })
    t.notOk(isAlive(again.pid), 'the viewer ends with the agent')
    const said = agent.screen() + agent.log()
    t.notMatch(said, TICKET)
    t.notMatch(said, DEVICE_KEY)
  },
)

test('RDP and Horizon: the exact commands', async (t) => {
  const { viewers, agent } = await stage(t, [
    ready({
      console: RDP,
      viewer: {
        fullScreen: true,
        multiMonitor: true,
        usbAutoShare: true,
        audio: false,
        resolution: null,
      },
    }),
    ready({ console: HORIZON }),
  ])
  const rdp = await viewers.recorded('xfreerdp')
  t.strictSame(rdp.args, [
    '/v:127.0.0.1:3389',
    '/u:',
    '/cert:tofu',
    '/t:Office',
    '/log-level:WARN',
    '+clipboard',
    '/f',
    '/multimon',
    '/drive:hotplug,*',
  ])
  t.equal(rdp.input, '')
  process.kill(rdp.pid, 'SIGTERM')
  const horizon = await viewers.recorded('vmware-view')
  t.strictSame(horizon.args, [
    '-s',
    'horizon.example',
    '--fullscreen',
    '-q',
    '--desktopName',
    'Sales desk',
    '--once',
    '--protocol=PCOIP',
  ])
  t.strictSame(await agent.stop(), { code: 0, signal: null })
})

test('a viewer that writes its ticket does not bring it into the log', async (t) => {
  const { agent } = await stage(t, [ready()], {
    behaviour: 'grep ^password "$here/$name.input" >&2\n',
  })
  await agent.says('password=***')
  t.notMatch(agent.log(), TICKET)
})

test('a viewer that fails at once is tried again with longer pauses, and the broker is told', async (t) => {
  const { broker, agent } = await stage(t, [ready()], {
    behaviour: 'echo "cannot open display" >&2\nexit 7\n',
  })
  await until(() => broker.questions.length >= 3, { withinMs: 20_000, what: 'three questions' })
  t.match(
    broker.questions[1]?.body.note,
    /^remote-viewer ended with exit code 7 after 0\.\d s \(cannot open display\)\.$/,
  )
  await agent.says('remote-viewer ended with exit code 7')
  const [first, second, third] = broker.questions.map(({ atMs }) => atMs)
  t.ok(
    (second ?? 0) - (first ?? 0) >= 1000 && (third ?? 0) - (second ?? 0) >= 1000,
    'at least a second lies between',
  )
  await agent.stop()
})

test('a missing viewer is said on the screen and to the broker; installed, it is used', async (t) => {
  const { broker, agent, directory } = await stage(t, [ready({ console: HORIZON })], {
    viewers: [],
  })
  await agent.says('This device cannot show the desktop: the program vmware-view is not installed.')
  await until(() => broker.questions.length >= 2, { withinMs: 10_000, what: 'the next question' })
  t.match(broker.questions[1]?.body.note, 'the program vmware-view is not installed')
  const viewers = recordingViewers(directory)
  t.ok((await viewers.recorded('vmware-view')).pid > 0)
})

test('a running viewer outlives the broker', async (t) => {
  const { broker, viewers, agent } = await stage(t, [ready()])
  const viewer = await viewers.recorded('remote-viewer')
  await broker.close()
  process.kill(viewer.pid, 0)
  t.ok(isAlive(viewer.pid))
  process.kill(viewer.pid, 'SIGTERM')
  await agent.says(/The broker 127\.0\.0\.1:\d+ refuses connections\./)
})

test('--once: the exit code tells how the viewer ended', async (t) => {
  const { agent } = await stage(t, [ready()], { args: ['--once'], behaviour: 'exit 0\n' })
  t.equal((await agent.ended).code, 0)
})

test('--once with a failing viewer', async (t) => {
  const { agent } = await stage(t, [ready()], { args: ['--once'], behaviour: 'exit 3\n' })
  t.equal((await agent.ended).code, 1)
})

test('the viewer ends also when the agent is killed', async (t) => {
  const { viewers, agent } = await stage(t, [ready()])
  const viewer = await viewers.recorded('remote-viewer')
  process.kill(agent.pid, 'SIGKILL')
  await until(() => !isAlive(viewer.pid), { withinMs: 5000, what: 'the viewer is gone' })
})

test('a viewer that ignores SIGTERM is killed', async (t) => {
  const { viewers, agent } = await stage(t, [ready()], {
    behaviour: 'trap "" TERM\nwhile :; do sleep 1; done\n',
  })
  const viewer = await viewers.recorded('remote-viewer')
  const startMs = performance.now()
  t.strictSame(await agent.stop(), { code: 0, signal: null })
  t.notOk(isAlive(viewer.pid))
  t.ok(performance.now() - startMs < 15_000)
})
