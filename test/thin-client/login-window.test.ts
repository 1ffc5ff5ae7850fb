import { statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { until } from '../support/until.js'
import { type AgentUnderTest, startAgent } from './agent-under-test.js'
import { ready } from './answers.js'
import { isAlive, recordingViewers } from './recording-viewers.js'
import { colourAt, photograph, startDisplay } from './x-display.js'
import { bundle, LOGIN, run, stage } from './login-stage.js'
import type { BrokerStandIn } from './broker-stand-in.js'

t.setTimeout(240_000)

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
    await logsInAtTheWindow(t, { display, directory, broker, waits: () => held !== undefined })
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
    await noticeOverTheViewer(t, display, directory, broker, pid, agent)
  },
)

async function logsInAtTheWindow(
  t: Test,
  {
    display,
    directory,
    broker,
    waits,
  }: { display: string; directory: string; broker: BrokerStandIn; waits: () => boolean },
): Promise<void> {
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
        (await run('convert', [join(directory, 'login.png'), '-format', '%k', 'info:'])).stdout !==
        '1'
      )
    },
    { withinMs: 10_000, everyMs: 200, what: 'the window shows something' },
  )
  await until(waits, { withinMs: 10_000, what: 'it waits for news' })
  await key('windowfocus', '--sync', window.trim(), 'type', 'ann')
  await key('key', 'Return')
  await key('type', 'sesame-93817')
  await key('key', 'Return')
  await until(() => broker.wishes.length === 1, { withinMs: 10_000, what: 'the login came' })
  t.match(broker.wishes[0], { path: 'login', body: { name: 'ann', password: 'sesame-93817' } })
}

async function noticeOverTheViewer(
  t: Test,
  display: string,
  directory: string,
  broker: BrokerStandIn,
  pid: number,
  agent: AgentUnderTest,
): Promise<void> {
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
}
