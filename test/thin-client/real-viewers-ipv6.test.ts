import { writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test, test } from 'tap'
import type { SpiceConsole } from '../../broker/api/machines.js'
import { until } from '../support/until.js'
import { ready } from './answers.js'
import { startSpiceMachine } from './spice-machine.js'
import { folder, GREEN, seeColour, stage } from './viewer-stage.js'
import { startDisplay } from './x-display.js'

t.setTimeout(900_000)
const TICKET = '5f1e0c9b7a3d4826'
const NAME = 'desk6.berth.test'

/** A device, with a real viewer, that is told to show a machine whose display listens on ::1 only. */
async function device(
  t: Test,
  change: Partial<SpiceConsole> | ((tlsPort: number) => Promise<Partial<SpiceConsole>>),
  prefix: readonly string[] = [],
) {
  const directory = folder(t)
  const machine = await startSpiceMachine(t, join(directory, 'spice'), TICKET, '::1')
  const display = await startDisplay(t)
  const shown = machine.console(TICKET)
  const changed = typeof change === 'function' ? await change(shown.tlsPort) : change
  const answer = ready({ console: { ...shown, ...changed } })
  const { agent, broker } = await stage(t, directory, [answer], [], { DISPLAY: display }, prefix)
  return {
    agent,
    broker,
    machine,
    sees: async () => {
      await seeColour(display, join(directory, 'screen.png'), [512, 384], GREEN)
    },
  }
}

test('a viewer shows a machine at an IPv6 address', async (t) => {
  const { machine, sees } = await device(t, { host: '::1' })
  await sees()
  t.ok((await machine.channels()) >= 3)
})

test('at a name that has an IPv6 address only', async (t) => {
  const directory = folder(t)
  const hosts = join(directory, 'hosts')
  writeFileSync(hosts, `127.0.0.1 localhost\n::1 ${NAME}\n`)
  const script = 'mount --bind "$0" /etc/hosts; exec "$@"'
  const { machine, sees } = await device(t, { host: NAME }, [
    'unshare',
    '--mount',
    '--',
    'sh',
    '-ec',
    script,
    hosts,
  ])
  await sees()
  t.ok((await machine.channels()) >= 3)
})

test('through a console proxy at an IPv6 address', async (t) => {
  const connects: string[] = []
  const { machine, sees } = await device(t, async (tlsPort) => {
    const proxy = createServer()
    proxy.on('connect', ({ url }, socket) => {
      connects.push(url ?? '')
      const onward = connect(tlsPort, '::1', () => {
        socket.write('HTTP/1.0 200 Connection established\r\n\r\n')
        socket.pipe(onward).pipe(socket)
      })
      for (const [one, other] of [
        [socket, onward],
        [onward, socket],
      ] as const)
        one.on('error', () => other.destroy()).on('close', () => other.destroy())
    })
    proxy.listen(0, '::1')
    await once(proxy, 'listening')
    t.teardown(() => proxy.close())
    return {
      host: '0123456789abcdef',
      proxy: `http://[::1]:${(proxy.address() as AddressInfo).port}`,
    }
  })
  await sees()
  t.ok((await machine.channels()) >= 3)
  t.ok(connects.length >= 3)
  for (const url of connects) t.match(url, /^0123456789abcdef:\d+$/)
})

test('whose certificate is another machine’s is not shown by IPv6 either', async (t) => {
  const { broker, machine, agent } = await device(t, { host: '::1', hostSubject: 'CN=hv2' })
  await until(() => broker.questions.length >= 2, {
    withinMs: 60_000,
    what: 'the viewer has given up and the device asks again',
  })
  t.equal(await machine.channels(), 0)
  t.notMatch(agent.log(), TICKET)
})
