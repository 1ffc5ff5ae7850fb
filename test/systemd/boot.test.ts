import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test, test } from 'tap'
import { DEFAULT_VIEWER_OPTIONS } from '../../broker/api/thin-clients.js'
import { until } from '../support/until.js'
import { ready, waiting } from '../thin-client/answers.js'
import { type BrokerStandIn, startBroker } from '../thin-client/broker-stand-in.js'
import { type SpiceMachine, startSpiceMachine } from '../thin-client/spice-machine.js'
import { colourAt } from '../thin-client/x-display.js'
import { type BootedThinClient, bootImage, bootThinClient } from './boot.js'

t.setTimeout(1_700_000)
const BOOT_LIMIT_MS = 300_000
const TICKET = '9d1f3b5a7c2e4860'
/** Where a guest in QEMU's user network finds the loopback of this machine. */
const HOST = '10.0.2.2'

interface Stage {
  readonly broker: BrokerStandIn
  readonly machine: SpiceMachine
  readonly device: BootedThinClient
  readonly directory: string
}

async function stage(t: Test, kernelWords: readonly string[]): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-boot-test-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  for (const name of ['authority', 'spice']) mkdirSync(join(directory, name))
  const broker = await startBroker(join(directory, 'authority'), { names: [HOST] })
  t.teardown(() => broker.close())
  const machine = await startSpiceMachine(t, join(directory, 'spice'), TICKET)
  broker.react(
    waiting({
      sentence: 'The machine green is being started.',
      deviceKey: 'ab'.repeat(32),
      mark: 'm0',
    }),
    ready({
      console: { ...machine.console(TICKET), host: HOST },
      viewer: { ...DEFAULT_VIEWER_OPTIONS, resolution: '1024x768' },
    }),
  )
  const device = await bootThinClient({
    image: await bootImage(),
    broker: `${HOST}:${broker.port}`,
    ca: broker.fingerprint,
    kernelWords,
  })
  t.teardown(() => device.stop())
  return { broker, machine, device, directory }
}

for (const display of ['x', 'wayland'] as const) {
  test(`a bare machine that is switched on shows its desktop, untouched (${display})`, async (t) => {
    const { broker, machine, device, directory } = await stage(t, [`berth.display=${display}`])
    const startMs = performance.now()
    await until(() => broker.questions.length > 0, {
      withinMs: BOOT_LIMIT_MS,
      everyMs: 500,
      what: 'the device asks',
    })
    t.comment(`the first question after ${Math.round((performance.now() - startMs) / 1000)} s`)
    const file = join(directory, 'screen.png')
    await until(
      async () => {
        await device.photograph(file)
        const [red, green, blue] = await colourAt(file, 512, 384)
        return red < 20 && Math.abs(green - 170) < 20 && blue < 20
      },
      { withinMs: BOOT_LIMIT_MS, everyMs: 1000, what: 'the desktop is on the screen' },
    )
    t.comment(`the desktop after ${Math.round((performance.now() - startMs) / 1000)} s`)
    t.ok(existsSync(file))
    t.ok((await machine.channels()) >= 3)
    t.match(broker.questions[0]?.body, { hostname: 'thin-client', macs: ['52:54:00:be:27:01'] })
    t.equal(broker.questions.at(-1)?.authorization, `Device ${'ab'.repeat(32)}`)
    t.notMatch(device.log(), TICKET)
    // An X server sets the resolution; cage keeps the card's own.
    t.equal(
      execFileSync('identify', ['-format', '%wx%h', file], { encoding: 'utf8' }),
      display === 'x' ? '1024x768' : '1280x800',
    )
    const asked = broker.questions.length
    await machine.qmp.execute('quit').catch(() => undefined)
    await until(() => broker.questions.length > asked, {
      withinMs: 60_000,
      what: 'the device asks again when the machine has ended',
    })
  })
}
