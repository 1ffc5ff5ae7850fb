import { chownSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { createConnection } from 'node:net'
import t, { type Test, test } from 'tap'
import { until } from '../support/until.js'
import { ready } from './answers.js'
import { type SpiceMachine, startSpiceMachine } from './spice-machine.js'
import { folder, GREEN, seeColour, stage } from './viewer-stage.js'
import { startDisplay, startFor } from './x-display.js'
import { freePort } from '../support/free-port.js'
import type { AgentUnderTest } from './agent-under-test.js'
import type { BrokerStandIn } from './broker-stand-in.js'

t.setTimeout(900_000)
const TICKET = '5f1e0c9b7a3d4826'

test(
  'remote-viewer shows a machine by SPICE and TLS on a display that is there; when the machine ' +
    'ends the device asks again',
  async (t) => {
    const directory = folder(t)
    const machine = await startSpiceMachine(t, join(directory, 'spice'), TICKET)
    const display = await startDisplay(t)
    const { agent, broker } = await stage(
      t,
      directory,
      [ready({ console: machine.console(TICKET) })],
      [],
      { DISPLAY: display },
    )
    await seeColour(display, join(directory, 'screen.png'), [512, 384], GREEN)
    t.ok((await machine.channels()) >= 3)
    t.notMatch(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }), TICKET)
    t.equal(broker.questions.length, 1)
    await machine.qmp.execute('quit').catch(() => undefined)
    await until(() => broker.questions.length >= 2, {
      withinMs: 30_000,
      what: 'the device asks again',
    })
    t.notMatch(agent.log(), TICKET)
  },
)

test('in an X server of its own', async (t) => {
  const directory = folder(t)
  const machine = await startSpiceMachine(t, join(directory, 'spice'), TICKET)
  const { agent, broker } = await stage(
    t,
    directory,
    [
      ready({
        console: machine.console(TICKET),
        viewer: {
          fullScreen: true,
          multiMonitor: false,
          usbAutoShare: false,
          audio: false,
          resolution: '800x600',
        },
      }),
    ],
    [
      '--display',
      'x',
      '--x-server-command',
      'Xvfb {display} {vt} -screen 0 1024x768x24 -nolisten tcp',
    ],
    {},
  )
  await until(async () => (await machine.channels()) >= 3, {
    withinMs: 30_000,
    what: 'the viewer is connected',
  })
  const display =
    /Xvfb (:\d+) /.exec(
      execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
        .split('\n')
        .find((line) => line.includes(`-auth ${directory}`)) ?? '',
    )?.[1] ?? ''
  const authority = { XAUTHORITY: join(directory, 'run/xauthority') }
  await seeColour(display, join(directory, 'screen.png'), [400, 300], GREEN, authority)
  await agent.says('This display has no mode 800x600; it keeps its own.')
  nobodySeesItWithoutTheCookie(t, display)
  await serverEndsWithTheAgent(t, machine, broker, agent, directory)
})

function nobodySeesItWithoutTheCookie(t: Test, display: string) {
  t.throws(
    () =>
      execFileSync('xrandr', ['-display', display, '--query'], {
        env: { PATH: process.env.PATH, XAUTHORITY: '/dev/null' },
        stdio: 'ignore',
      }),
    'without the cookie nobody sees the screen',
  )
}

async function serverEndsWithTheAgent(
  t: Test,
  machine: SpiceMachine,
  broker: BrokerStandIn,
  agent: AgentUnderTest,
  directory: string,
): Promise<void> {
  await machine.qmp.execute('quit').catch(() => undefined)
  await until(() => broker.questions.length >= 2, {
    withinMs: 30_000,
    what: 'the device asks again',
  })
  await agent.stop()
  t.notMatch(
    execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }),
    `-auth ${directory}`,
    'the X server is gone',
  )
}

/** cage refuses to run as root. */
const AS_NOBODY =
  process.getuid?.() === 0
    ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--']
    : []

test('in a Wayland kiosk (cage)', async (t) => {
  const directory = folder(t)
  if (AS_NOBODY.length > 0)
    for (const path of [directory, join(directory, 'run')]) chownSync(path, 65534, 65534)
  const machine = await startSpiceMachine(t, join(directory, 'spice'), TICKET)
  const { agent } = await stage(
    t,
    directory,
    [ready({ console: machine.console(TICKET) })],
    ['--display', 'wayland'],
    { WLR_BACKENDS: 'headless', WLR_RENDERER: 'pixman', WLR_LIBINPUT_NO_DEVICES: '1' },
    AS_NOBODY,
  )
  await until(async () => (await machine.channels()) >= 3, {
    withinMs: 30_000,
    what: 'the viewer is connected',
  })
  t.match(
    execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }),
    /cage -- \/bin\/sh -c .* \S*remote-viewer --kiosk --kiosk-quit=on-disconnect --full-screen -\n/,
  )
  t.strictSame(await agent.stop(), { code: 0, signal: null }, agent.log())
  await until(async () => (await machine.channels()) === 0, {
    withinMs: 10_000,
    what: 'the viewer is gone',
  })
})

test(
  'a ticket that is refused leaves no dialog on the screen: the viewer is ended and the device ' +
    'asks for a new one',
  async (t) => {
    const directory = folder(t)
    const machine = await startSpiceMachine(t, join(directory, 'spice'), TICKET)
    const display = await startDisplay(t)
    const { agent, broker } = await stage(
      t,
      directory,
      [ready({ console: machine.console('wrong') }), ready({ console: machine.console(TICKET) })],
      [],
      { DISPLAY: display },
    )
    await seeColour(display, join(directory, 'screen.png'), [512, 384], GREEN, {}, 60_000)
    t.match(
      broker.questions[1]?.body.note,
      /^remote-viewer had no connection to the desktop \(port \d+\) for (10|30) s and was ended/,
    )
    await agent.stop()
  },
)

/**
 * xrdp on a port of its own with a certificate of its own; gives the port. No session manager runs:
 * its login screen is what is looked at.
 */
async function startXrdp(t: Test, directory: string, port: number): Promise<void> {
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      certificate,
      '-days',
      '2',
      '-subj',
      '/CN=rdp-host',
    ],
    { stdio: 'ignore' },
  )
  const replaced: Record<string, string> = {
    port: `tcp://127.0.0.1:${port}`,
    certificate,
    key_file: key,
    LogFile: join(directory, 'xrdp.log'),
    EnableSyslog: 'false',
  }
  const lines = readFileSync('/etc/xrdp/xrdp.ini', 'utf8')
    .split('\n')
    .map((line) => {
      const name = line.split('=')[0] ?? ''
      return line.includes('=') &&
        Object.hasOwn(replaced, name) &&
        !(name === 'port' && !/^port=3389$/.test(line))
        ? `${name}=${replaced[name]}`
        : line
    })
  writeFileSync(join(directory, 'xrdp.ini'), lines.join('\n'))
  startFor(t, 'xrdp', ['--nodaemon', '--config', join(directory, 'xrdp.ini')])
  await until(
    () =>
      new Promise((resolve) => {
        const socket = createConnection(port, '127.0.0.1', () => {
          socket.destroy()
          resolve(true)
        }).once('error', () => resolve(false))
      }),
    { withinMs: 10_000, what: 'xrdp listens' },
  )
}

test('xfreerdp shows the login screen of a real xrdp, keeps its certificate and refuses another one', async (t) => {
  const directory = folder(t)
  const port = await freePort()
  await t.test('first contact', async (t) => {
    await startXrdp(t, directory, port)
    const display = await startDisplay(t)
    const { agent } = await stage(
      t,
      directory,
      [ready({ console: { protocol: 'rdp', address: `127.0.0.1:${port}`, title: 'Office' } })],
      [],
      { DISPLAY: display },
    )
    await seeColour(display, join(directory, 'screen.png'), [10, 10], [0, 156, 181])
    t.strictSame(await agent.stop(), { code: 0, signal: null })
  })
  await t.test('another certificate', async (t) => {
    await startXrdp(t, directory, port)
    const display = await startDisplay(t)
    const { agent } = await stage(
      t,
      directory,
      [ready({ console: { protocol: 'rdp', address: `127.0.0.1:${port}`, title: 'Office' } })],
      ['--once'],
      { DISPLAY: display },
    )
    t.equal((await agent.ended).code, 1)
    t.match(agent.log(), /HOST IDENTIFICATION HAS CHANGED/)
  })
})
