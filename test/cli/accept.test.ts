import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { Desk, newMac, office, STRANGE_ADDRESS } from '../broker/thin-clients/desk.js'
import { CliUnderTest, type Ended } from './run-cli.js'

t.setTimeout(240_000)

t.test(
  'of several that say one MAC: accepted by code, as new, renamed; by a real broker',
  async (t) => {
    const [cli, broker] = [await CliUnderTest.compile(), await office()]
    t.teardown(async () => {
      await broker.remove()
      cli.remove()
    })
    const env = {
      BERTH_BROKER: `127.0.0.1:${broker.broker.port}`,
      BERTH_CA: join(broker.directory, 'data', 'ca.pem'),
      BERTH_TOKEN: broker.token,
    }
    const berth = async (...words: string[]): Promise<Ended> =>
      await cli.run(['thin-client', ...words], { env })
    const mac = newMac()
    const deskAt = (address: string): Desk => {
      const desk = new Desk(broker, mac, address)
      desk.claim = randomBytes(32).toString('hex')
      return desk
    }
    const [stranger, real, third] = [
      deskAt(STRANGE_ADDRESS),
      deskAt('127.0.0.201'),
      deskAt('127.0.0.202'),
    ]
    const { device } = await stranger.ask()
    const { code = '' } = await real.ask()
    const { code: thirds = '' } = await third.ask()
    await doubtIsShown(t, berth, mac, code, thirds)
    t.match(await berth('accept', mac, '--code', code.toLowerCase()), { code: 0 })
    t.notOk((await stranger.ask()).deviceKey)
    t.match(await real.ask(), { device, deviceKey: String })
    await real.ask()

    await third.ask()
    await stranger.ask()
    t.match(await berth('accept', device, '--code', thirds, '--as-new'), { code: 0 })
    t.notOk((await stranger.ask()).deviceKey)
    const own = await third.ask()
    t.match(own, { deviceKey: String })
    t.not(own.device, device)
    t.match(await real.ask(), { device })
    await namesAreTheirOwn(t, berth, mac, own, device, stranger)
  },
)

async function doubtIsShown(
  t: Test,
  berth: (...words: string[]) => Promise<Ended>,
  mac: string,
  code: string,
  thirds: string,
): Promise<void> {
  const shown = await berth('show', mac)
  for (const line of [`${code} (127.0.0.201)`, `${thirds} (127.0.0.202)`, `(${STRANGE_ADDRESS})`])
    t.ok(shown.stdout.includes(line), line)
  const doubt = await berth('accept', mac)
  t.equal(doubt.code, 1)
  t.ok(doubt.stderr.includes(`127.0.0.201 (${code})`), doubt.stderr)
  t.match(await berth('accept', mac, '--code', 'BBBB-BBBB'), {
    code: 1,
    stderr: /No device that asks now has this code/,
  })
}

async function namesAreTheirOwn(
  t: Test,
  berth: (...words: string[]) => Promise<Ended>,
  mac: string,
  own: Awaited<ReturnType<Desk['ask']>>,
  device: string,
  stranger: Desk,
): Promise<void> {
  t.match(await berth('show', mac), { code: 1, stderr: /fits 2 devices/ })
  t.match(await berth('rename', own.device, 'Reception'), { code: 0, stdout: /name: +Reception/ })
  t.match(await berth('rename', device, 'reception'), {
    code: 1,
    stderr: /has the name reception already/,
  })
  t.match(await berth('show', 'reception'), { code: 0, stdout: new RegExp(`id: +${own.device}`) })
  await stranger.ask()
  const { thinClients } = JSON.parse((await berth('list', '--output', 'json')).stdout) as {
    thinClients: ThinClient[]
  }
  t.same(
    thinClients.flatMap(({ askers }) => askers.map(({ address }) => address)),
    [STRANGE_ADDRESS],
    'who was not accepted asks on, and gets nothing',
  )
}
