import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { MachinePathList } from '../../../broker/api/consoles.js'
import type { SpiceConsole } from '../../../broker/api/machines.js'
import { domainXml } from '../../../broker/hypervisors/domain-xml.js'
import { openHelper } from '../../hypervisor-scripts/prepared-host.js'
import { until } from '../../support/until.js'
import {
  berth,
  berthAt,
  desk,
  ended,
  hv1,
  inGuest,
  other,
  PROXY_PORT,
  screen,
  second,
  sessions,
  shows,
} from './two-screens.js'

t.setTimeout(900_000)

t.test(
  "a viewer outside of the host's network sees a display that listens on the host's loopback, through the proxy",
  async (t) => {
    t.match(await hv1.mustRun(['ss', '-tlnpH']), /127\.0\.0\.1:59\d\d.*qemu-system/)
    const viewer = berthAt(desk, screen, ['connect', 'pc', '--full-screen'])
    await shows(screen, 'pc')
    const connections = (await desk.run(['ss', '-tnH', 'state', 'established'])).stdout
      .trim()
      .split('\n')
      .filter((line) => line.includes(`:${PROXY_PORT}`))
    t.ok(connections.length >= 6, `${connections.length} channels`)
    t.notMatch(
      (await desk.run(['ss', '-tnH'])).stdout,
      hv1.address,
      'nothing goes to the hypervisor',
    )
    const argv = await desk.run(['bash', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'])
    t.match(argv.stdout, /remote-viewer -/)
    t.notMatch(argv.stdout, /berth\.invalid|password=/)
    await until(async () => (await sessions()).length === 1, {
      withinMs: 10_000,
      what: 'the session is seen',
    })
    t.match(await sessions(), [
      {
        machine: 'pc',
        holder: { kind: 'person', name: 'admin' },
        address: desk.address,
        via: 'proxy',
        protocol: 'spice',
      },
    ])
    t.match(await berth.machine('pc'), { viewers: ['127.0.0.1'] }, 'QEMU sees the host')
    t.notMatch(
      await hv1.mustRun(['cat', '/var/log/sshd.log']),
      /no more sessions|refused/i,
      'sshd counts forwarded channels as no sessions',
    )

    await takeover(t)
    viewer.child.kill('SIGKILL')
    await desk.run(['pkill', 'remote-viewer'])
    await until(async () => (await sessions()).length === 0, {
      withinMs: 20_000,
      what: 'nobody is connected',
    })
  },
)

async function takeover(t: Test): Promise<void> {
  await t.test('takeover: the old viewer ends, the new one shows, and both are told', async (t) => {
    const database = new Database(join(berth.directory, 'data', 'berth.sqlite'))
    database.prepare('UPDATE console_seat SET holder = ?').run('alice')
    database.close()
    await t.rejects(berth.api.post<SpiceConsole>('/machines/pc/console'), {
      code: 'console_in_use',
      message: /alice/,
    })
    const refused = berthAt(other, second, ['connect', 'pc'])
    t.equal(await ended(refused), 1)
    t.match(refused.said, /has the console of pc: wait until it is closed, or take it over/)
    const taker = berthAt(other, second, ['connect', 'pc', '--take', '--full-screen'])
    await shows(second, 'pc')
    await until(() => /pc was taken from alice, who had it since/.test(taker.said), {
      withinMs: 10_000,
      what: 'the taker is told from whom',
    })
    await until(
      async () =>
        (await desk.run(['ss', '-tnH', 'state', 'established'])).stdout.includes(
          `:${PROXY_PORT}`,
        ) === false,
      { withinMs: 10_000, what: 'the old tunnels are closed' },
    )
    await until(async () => (await sessions())[0]?.address === other.address, {
      withinMs: 10_000,
      what: 'the new session is seen',
    })
    const { events } = await berth.api.get<{
      events: Array<{ action: string; detail: object }>
    }>('/events')
    t.match(
      events.find(({ action }) => action === 'console.take'),
      { detail: { from: 'alice', address: desk.address } },
    )
    taker.child.kill('SIGKILL')
    await other.run(['pkill', 'remote-viewer'])
  })
}

t.test('a token of a real console is of no use from another place', async (t) => {
  const { host, tlsPort, proxy } = await berth.api.post<SpiceConsole>('/machines/pc/console')
  t.equal(proxy, `http://${berth.fleet.gateway}:${PROXY_PORT}`)
  const answer = await other.run([
    'bash',
    '-c',
    `exec 3<>/dev/tcp/${berth.fleet.gateway}/${PROXY_PORT}; printf ` +
      `'CONNECT ${host}:${tlsPort} HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3`,
  ])
  t.match(answer.stdout, /^HTTP\/1\.1 403/)
})

t.test("a port of a guest behind the host's NAT is reached, and nothing else", async (t) => {
  await serveInTheGuest()
  const line = await openHelper(hv1, null)
  const { items } = (await line.must('guest_addresses', { domain: 'pc' })) as {
    items: Array<{ address: string; source: string }>
  }
  await line.end()
  t.match(
    items.sort((a, b) => a.source.localeCompare(b.source)),
    [
      { address: '192.168.77.200', source: 'agent' },
      { address: /^192\.168\.77\.[1-9]\d$/, source: 'lease' },
    ],
    'what the host can vouch for, and not what the guest made up',
  )
  t.equal(items.length, 2)
  const { paths } = await berth.api.get<MachinePathList>('/machines/pc/paths')
  const ssh = paths.find(({ protocol }) => protocol === 'ssh')
  t.match(ssh, {
    reachable: true,
    via: 'forward',
    address: /^192\.168\.77\.[1-9]\d$/,
    commands: ['berth port-forward pc 10022:22', 'ssh -p 10022 127.0.0.1'],
  })
  t.match(
    paths.find(({ protocol }) => protocol === 'rdp'),
    { reachable: false, sentence: 'Nothing answers on port 3389 within 1.5 s.' },
  )
  const wanted = (await inGuest('sha256sum /tmp/www/big')).split(' ')[0]
  const running = berthAt(desk, null, ['port-forward', 'pc', '18080:80'])
  await until(() => running.said.includes('127.0.0.1:18080 is port 80 of pc'), {
    withinMs: 10_000,
    what: 'berth listens',
  })
  const fetched = await Promise.all(
    [1, 2, 3].map(
      async () => await desk.run(['bash', '-c', 'curl -sS http://127.0.0.1:18080/big | sha256sum']),
    ),
  )
  for (const { stdout } of fetched)
    t.equal(stdout.split(' ')[0], wanted, '8 MiB came through whole')
  await berth.power('pc', 'poweroff')
  await desk.run(['curl', '-sS', '-m', '5', 'http://127.0.0.1:18080/big'])
  t.equal(await ended(running), 1)
  t.match(running.said, /pc is not running/)
})

async function serveInTheGuest(): Promise<void> {
  await inGuest(
    `modprobe virtio_net; ip link set lo up; ip link set eth0 up; printf '#!/bin/sh\\n[ "$1" ` +
      `= bound ] && ip addr add $ip/24 dev eth0\\n' > /tmp/dhcp; chmod +x /tmp/dhcp; udhcpc -q ` +
      '-n -i eth0 -s /tmp/dhcp > /tmp/log 2>&1; mkdir -p /tmp/www; dd if=/dev/urandom ' +
      'of=/tmp/www/big bs=1M count=8 2>/dev/null; httpd -p 80 -h /tmp/www; httpd -p 22 -h ' +
      '/tmp/www',
  )
  // A guest may say anything of itself: the host's own address, and that of another machine.
  await inGuest(
    `ip addr add ${hv1.address}/32 dev lo; ip addr add ${berth.fleet.gateway}/32 dev lo; ip ` +
      'addr add 192.168.77.200/32 dev eth0',
  )
}

t.test('what a policy forbids is forbidden by QEMU itself', async (t) => {
  const xml = domainXml({
    name: 'plain',
    uuid: 'c0ffee00-0000-4000-8000-00000000000a',
    virtType: 'qemu',
    memoryMib: 64,
    vcpus: 1,
    firmware: 'bios',
    network: 'none',
    mac: '52:54:00:c0:ff:ea',
    serial: 'plain',
    disk: '/tmp/none.qcow2',
    transient: false,
    destroyOnReboot: false,
    listen: '127.0.0.1',
    metadata: {},
    template: null,
    features: { clipboard: false, fileTransfer: false, usb: false },
  })
  writeFileSync(hv1.path('/tmp/plain.xml'), xml)
  await hv1.mustRun(['virsh', 'define', '/tmp/plain.xml'])
  const dumped = await hv1.mustRun(['virsh', 'dumpxml', 'plain'])
  t.match(dumped, "<clipboard copypaste='no'/>")
  t.match(dumped, "<filetransfer enable='no'/>")
  t.notMatch(dumped, '<redirdev')
  writeFileSync(
    hv1.path('/tmp/plain.xml'),
    domainXml({
      ...{
        name: 'plain',
        uuid: 'c0ffee00-0000-4000-8000-00000000000a',
        virtType: 'qemu' as const,
        memoryMib: 64,
        vcpus: 1,
        firmware: 'bios' as const,
        network: 'none',
        mac: '52:54:00:c0:ff:ea',
        serial: 'plain',
        disk: '/tmp/none.qcow2',
        transient: false,
        destroyOnReboot: false,
        listen: '127.0.0.1',
        metadata: {},
        template: null,
      },
    }),
  )
  await hv1.mustRun(['virsh', 'define', '/tmp/plain.xml'])
  t.match(await hv1.mustRun(['virsh', 'dumpxml', 'plain']), '<redirdev')
})
