import { join } from 'node:path'
import t from 'tap'
import type { MachinePathList } from '../../../broker/api/consoles.js'
import type { SpiceConsole } from '../../../broker/api/machines.js'
import { BerthOnFleet, ipv6Of } from '../../support/berth-on-fleet.js'
import { ROOT } from '../../support/broker-process.js'
import { until } from '../../support/until.js'

/*
 * Broker, hypervisor, desk and guest reach each other by IPv6 only. That the hypervisor is up says
 * that it was installed and is connected in that way.
 */

t.setTimeout(600_000)
const berth = await BerthOnFleet.start({ hosts: 1, name: 'ipv6', ipv6: true })
t.teardown(async () => {
  await berth.stop()
})
const hv1 = berth.host(1)
const desk = await berth.fleet.addDesk()
await desk.run(['ip', 'address', 'add', `${ipv6Of(desk.address)}/64`, 'dev', 'eth0', 'nodad'])

const GUEST = 'fd00:77::50'
await hv1.mustRun([
  'bash',
  '-ec',
  `printf '%s' "<network><name>inside</name><bridge name='virbr7'/>
<ip family='ipv6' address='fd00:77::1' prefix='64'/></network>" > /tmp/net.xml
  virsh net-define /tmp/net.xml; virsh net-start inside`,
])
await berth.makeSource('pc', 'one')
const { job } = await berth.api.patch<{ job: string }>('/machines/pc', {
  network: 'network:inside',
})
await berth.api.succeeded(job)
await berth.power('pc', 'start')
await berth.inGuest('pc', hv1, '/bin/busybox', [
  'sh',
  '-ec',
  `modprobe virtio_net; echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
  ip link set lo up; ip link set eth0 up; ip addr add ${GUEST}/64 dev eth0
  mkdir -p /tmp/www; printf 'of the guest' > /tmp/www/index.html; httpd -p '[::]:80' -h /tmp/www`,
])

t.test('a port of a guest that has IPv6 only is forwarded to a desk', async (t) => {
  const child = desk.spawnInside(
    [process.execPath, join(ROOT, 'dist/cli/main.js'), 'port-forward', 'pc', '18080:80'],
    {
      env: {
        BERTH_BROKER: berth.broker.hostAndPort,
        BERTH_CA: join(berth.directory, 'data', 'ca.pem'),
        BERTH_TOKEN: berth.api.token ?? '',
        HOME: berth.directory,
      },
    },
  )
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      said += data.toString()
    })
  await until(() => said.includes('127.0.0.1:18080'), { withinMs: 20_000, what: 'it listens' })
  const answer = await until(
    async () => {
      const { code, stdout } = await desk.run(['curl', '-sS', '-m', '10', 'http://127.0.0.1:18080'])
      if (code !== 0) throw new Error(`${stdout} ${said}`)
      return stdout
    },
    { withinMs: 30_000, what: 'the guest answers' },
  )
  t.equal(answer, 'of the guest')
  const { events } = await berth.api.get<{ events: Array<{ action: string; detail: unknown }> }>(
    '/events?action=machine.port-forward',
  )
  t.match(events, [{ detail: { port: 80, guest: /^fd00:77::/ } }])
})

t.test('what leads to the guest is said, and its screen is at an IPv6 address', async (t) => {
  const { paths } = await berth.api.get<MachinePathList>('/machines/pc/paths')
  t.match(
    paths.find(({ protocol }) => protocol === 'ssh'),
    { reachable: false },
    'nothing listens there',
  )
  const { host, tlsPort } = await berth.api.post<SpiceConsole>('/machines/pc/console', {})
  t.equal(host, ipv6Of(hv1.address))
  const { stdout, stderr } = await desk.run([
    'openssl',
    's_client',
    '-connect',
    `[${host}]:${tlsPort}`,
    '-CAfile',
    join(berth.directory, 'data', 'ca.pem'),
    '-verify_ip',
    host,
    '-brief',
  ])
  t.match(stdout + stderr, /Verification: OK/)
})
