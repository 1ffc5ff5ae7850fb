import { type ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Session } from '../../../broker/api/consoles.js'
import type { Desk } from '../../fleet/desk.js'
import { readGuestScreen } from '../../fleet/guest-image.js'
import { type Screen, startScreen } from '../../fleet/screen.js'
import { BerthOnFleet } from '../../support/berth-on-fleet.js'
import { ROOT } from '../../support/broker-process.js'
import { until } from '../../support/until.js'

export const PROXY_PORT = 8444
export const berth = await BerthOnFleet.start({
  hosts: 1,
  name: 'consoles',
  settings: { 'console-proxy-port': PROXY_PORT },
})
t.teardown(async () => {
  await berth.stop()
})
export const hv1 = berth.host(1)
const pictures = mkdtempSync(join(tmpdir(), 'berth-pictures-'))
writeFileSync(join(pictures, 'ca.pem'), berth.broker.ca)
const ENVIRONMENT = {
  BERTH_BROKER: `${berth.fleet.gateway}:${berth.broker.port}`,
  BERTH_CA: join(pictures, 'ca.pem'),
  BERTH_TOKEN: berth.api.token ?? '',
  HOME: pictures,
}

// A NAT network of libvirt's own: nobody outside of the host reaches its guests.
await hv1.mustRun([
  'bash',
  '-c',
  `cat > /tmp/net.xml <<'X'
<network><name>inside</name><forward mode='nat'/><bridge name='virbr7'/>
<ip address='192.168.77.1' netmask='255.255.255.0'>
<dhcp><range start='192.168.77.10' end='192.168.77.99'/></dhcp></ip></network>
X
virsh net-define /tmp/net.xml && virsh net-start inside`,
])
await berth.api.patch('/hypervisors/hv1', { displayAddress: '127.0.0.1' })
await berth.untilHypervisor('hv1', 'up')
await berth.makeSource('pc', 'one')
await berth.api
  .patch<{ job: string }>('/machines/pc', { network: 'network:inside' })
  .then(async ({ job }) => {
    await berth.api.succeeded(job)
  })
await berth.power('pc', 'start')
await berth.screenOf('pc', { name: 'pc' })
export const [desk, other] = [await berth.fleet.addDesk(), await berth.fleet.addDesk()]
export const [screen, second] = [await startScreen(desk), await startScreen(other)]

interface Running {
  readonly child: ChildProcessWithoutNullStreams
  said: string
}
export function berthAt(at: Desk, on: Screen | null, words: string[]): Running {
  const child = at.spawnInside([process.execPath, join(ROOT, 'dist/cli/main.js'), ...words], {
    env: { ...ENVIRONMENT, ...(on ? { DISPLAY: on.display } : {}) },
  })
  const running = { child, said: '' }
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      running.said += data.toString()
    })
  return running
}
export const ended = async ({ child }: Running): Promise<number | null> =>
  await until(
    () => (child.exitCode !== null || child.signalCode !== null ? { code: child.exitCode } : null),
    { withinMs: 20_000, what: 'berth has ended' },
  ).then(({ code }) => code)
export async function shows(on: Screen, machine: string): Promise<void> {
  await until(
    async () => {
      await on.screenshot(join(pictures, 'screen.png'))
      return (await readGuestScreen(join(pictures, 'screen.png'))).name === machine
    },
    { withinMs: 60_000, everyMs: 500, what: `the screen shows ${machine}` },
  )
}
export const sessions = async (): Promise<Session[]> =>
  (await berth.api.get<{ sessions: Session[] }>('/sessions')).sessions
export const inGuest = async (script: string): Promise<string> =>
  await berth.inGuest('pc', hv1, '/bin/busybox', ['sh', '-c', script])
