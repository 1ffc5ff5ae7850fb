import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test, test } from 'tap'
import {
  type DeviceOrder,
  ORDER_KINDS,
  type OrderKind,
  type OrderOutcome,
} from '../../broker/api/device-orders.js'
import type { AskAnswer } from '../../broker/api/thin-clients.js'
import { until } from '../support/until.js'
import { type AgentUnderTest, bundleAgent, startAgent } from './agent-under-test.js'
import { DEVICE_KEY, ready, waiting } from './answers.js'
import { type BrokerStandIn, startBroker } from './broker-stand-in.js'
import { isAlive, type RecordingViewers, recordingViewers } from './recording-viewers.js'

t.setTimeout(240_000)
const QUIET = { notice: null, over: null }

interface Stage {
  readonly broker: BrokerStandIn
  readonly viewers: RecordingViewers
  readonly agent: AgentUnderTest
  readonly directory: string
  readonly outcomes: () => OrderOutcome[]
}

function orderOf(kind: OrderKind, id = 'o-1', text = ''): DeviceOrder {
  return { id, kind, text, seconds: 30 }
}

async function stage(
  t: Test,
  answers: readonly AskAnswer[],
  more: {
    readonly args?: readonly string[]
    readonly programs?: readonly string[]
    readonly environment?: Record<string, string>
  } = {},
): Promise<Stage> {
  const directory = t.testdir()
  const broker = await startBroker(join(directory, 'authority'))
  t.teardown(() => broker.close())
  broker.react(...answers)
  const viewers = recordingViewers(directory, ['remote-viewer', ...(more.programs ?? [])])
  const args = [
    '--broker',
    `127.0.0.1:${broker.port}`,
    '--ca',
    broker.fingerprint,
    '--state-dir',
    join(directory, 'state'),
    '--config',
    '/dev/null',
    ...(more.args ?? []),
  ]
  const agent = startAgent(await bundleAgent(directory), args, {
    PATH: viewers.path,
    ...(more.environment ?? { DISPLAY: ':79' }),
  })
  t.teardown(() => agent.stop())
  return {
    broker,
    viewers,
    agent,
    directory,
    outcomes: () =>
      broker.wishes.filter(({ path }) => path === 'done').map(({ body }) => body as OrderOutcome),
  }
}

async function outcome({ outcomes, agent }: Stage, count = 1): Promise<OrderOutcome> {
  await until(() => outcomes().length >= count, {
    withinMs: 10_000,
    what: `outcome ${count}`,
  }).catch((error: unknown) => {
    throw new Error(agent.screen() + agent.log(), { cause: error })
  })
  const last = outcomes()[count - 1]
  if (!last) throw new Error('no outcome')
  return last
}

/** A systemctl that notes what it is called with. */
function systemctl(directory: string, shell: string): string {
  const file = join(directory, 'bin', 'systemctl')
  writeFileSync(
    file,
    `#!/bin/bash\nprintf '%s\\n' "$@" >>"${directory}/systemctl.args"\n${shell}\n`,
  )
  chmodSync(file, 0o755)
  return join(directory, 'systemctl.args')
}

test('it says which orders it knows; a message over the viewer is text and nothing else', async (t) => {
  const text = `Ačiū! $(touch ${t.testdirName}/hacked) %s \\033[2J ; 'quoted' "${'x'.repeat(70)}"`
  const one = await stage(t, [ready({ deviceKey: DEVICE_KEY })], { programs: ['xterm'] })
  await one.viewers.recorded('remote-viewer')
  t.match(one.broker.questions[0]?.body.orders, ORDER_KINDS)
  await until(() => one.broker.reports.some(({ orders }) => orders?.includes('message') === true), {
    withinMs: 5_000,
    what: 'the report says it too',
  })
  one.broker.tell({ ...QUIET, order: orderOf('message', 'o-1', text) })
  const xterm = await one.viewers.recorded('xterm')
  one.broker.tell(QUIET)
  t.ok(xterm.args.includes('-u8') && xterm.args.includes('*overrideRedirect: true'))
  t.ok(xterm.args.includes('30'), 'as long as was said')
  t.equal(
    xterm.args
      .slice(xterm.args.indexOf('30') + 1)
      .join('')
      .replaceAll(/\s/g, ''),
    text.replaceAll(/\s/g, ''),
    'each line is an argument of its own',
  )
  t.match(await outcome(one), {
    order: 'o-1',
    outcome: 'done',
    sentence: 'Shown over the desktop.',
  })
  t.notOk(existsSync(join(t.testdirName, 'hacked')))
  process.kill((await one.viewers.recorded('remote-viewer')).pid, 0)
})

test('an order that is told twice is done once, and its outcome said each time', async (t) => {
  const one = await stage(t, [ready()], { programs: ['xterm'] })
  await one.viewers.recorded('remote-viewer')
  one.broker.tell({ ...QUIET, order: orderOf('message', 'o-7', 'Once.') })
  await outcome(one, 3)
  one.broker.tell(QUIET)
  t.equal(one.viewers.runs('xterm'), 1)
  t.match(one.outcomes(), [
    { order: 'o-7', outcome: 'done' },
    { order: 'o-7', outcome: 'done' },
    { order: 'o-7', outcome: 'done' },
  ])
})

test('where nothing can be shown over the viewer, that is said', async (t) => {
  const one = await stage(t, [ready()], { programs: ['xterm'] })
  one.viewers.behave('[ "$name" = xterm ] && exit 1')
  await one.viewers.recorded('remote-viewer')
  one.broker.tell({ ...QUIET, order: orderOf('message', 'o-1', 'Hello.') })
  t.match(await outcome(one), {
    outcome: 'refused',
    sentence: 'The window of the message could not be opened.',
  })
})

test('a message on the screen that waits', async (t) => {
  const one = await stage(
    t,
    [waiting({ order: orderOf('message', 'o-1', 'Hello there.') }), waiting()],
    { environment: {} },
  )
  t.match(await outcome(one), { outcome: 'done', sentence: 'Shown on the screen that waits.' })
  await one.agent.says('A message of an administrator: Hello there.')
})

test('to reconnect: the viewer is closed, the device asks at once, and nobody is logged out', async (t) => {
  const one = await stage(t, [ready()])
  const viewer = await one.viewers.recorded('remote-viewer')
  one.broker.tell({ ...QUIET, order: orderOf('reconnect') })
  await until(() => !isAlive(viewer.pid), { withinMs: 10_000, what: 'the viewer is closed' })
  one.broker.tell(QUIET)
  t.match(await outcome(one), {
    outcome: 'done',
    sentence: 'The viewer was closed, and the device asks again.',
  })
  t.ok(isAlive((await one.viewers.recorded('remote-viewer', 2)).pid))
  t.match(one.broker.questions.at(-1)?.body, { ended: undefined, have: undefined })
  t.equal(one.viewers.runs('remote-viewer'), 2)
})

test('to restart: by systemctl, and never where it is switched off', async (t) => {
  const one = await stage(t, [ready()])
  const args = systemctl(one.directory, '')
  await one.viewers.recorded('remote-viewer')
  one.broker.tell({ ...QUIET, order: orderOf('reboot') })
  t.match(await outcome(one), { outcome: 'done', sentence: 'The device restarts.' })
  await outcome(one, 2)
  t.equal(readFileSync(args, 'utf8'), '--no-ask-password\n--no-wall\nreboot\n', 'once')
})

test('a systemctl that refuses, and a device that does not let itself be restarted', async (t) => {
  const one = await stage(t, [ready()])
  systemctl(
    one.directory,
    'echo "Failed to set wall message, ignoring: x" >&2\necho "Call to Reboot failed: Access denied." >&2\nexit 1',
  )
  await one.viewers.recorded('remote-viewer')
  one.broker.tell({ ...QUIET, order: orderOf('reboot') })
  t.match(await outcome(one), {
    outcome: 'refused',
    sentence: 'Not restarted: systemctl refused: Call to Reboot failed: Access denied.',
  })
  const other = await stage(t, [waiting({ order: orderOf('reboot') }), waiting()], {
    args: ['--remote-reboot', 'no'],
  })
  const args = systemctl(other.directory, '')
  t.match(await outcome(other), { outcome: 'refused', sentence: /remote-reboot=no/ })
  t.notOk(existsSync(args))
})
