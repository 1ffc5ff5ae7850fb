import { join } from 'node:path'
import t, { type Test as T } from 'tap'
import type { MachinePathList } from '../../../broker/api/consoles.js'
import { openHelper } from '../../hypervisor-scripts/prepared-host.js'
import { BerthOnFleet } from '../../support/berth-on-fleet.js'
import { ROOT } from '../../support/broker-process.js'
import { until } from '../../support/until.js'

/*
 * A real guest with a network that lies, on a bridge of a real hypervisor: it answers for the
 * addresses of others, and its agent says that it has them. Each of those others really answers on
 * the port that is asked for, so that one address that counted would be reached.
 */

t.setTimeout(900_000)
const berth = await BerthOnFleet.start({ hosts: 1, name: 'lying' })
t.teardown(async () => {
  await berth.stop()
})
const hv1 = berth.host(1)
const [desk, office] = [await berth.fleet.addDesk(), await berth.fleet.addDesk()]

const BRIDGE = 'virbr7'
const BEYOND = '172.16.3.4'
const BESIDE = '192.168.78.9'
const FAR6 = 'fd00:9::5'
/** Of a neighbour on the guest's own bridge that has given them to itself: no DHCP server knows them. */
const FIXED = '192.168.77.200'
const FIXED6 = 'fd00:77::200'
const PORT = 3389
const SECRET = 'for the management only'

const bash = async (script: string): Promise<string> => await hv1.mustRun(['bash', '-ec', script])
const inGuest = async (script: string, machine = 'pc'): Promise<string> =>
  await berth.inGuest(machine, hv1, '/bin/busybox', ['sh', '-c', script])

/** Serves one word at every address of a network namespace. */
const SERVER = `import http.server,socket
class S(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"${SECRET}")
S(("::", ${PORT}), H).serve_forever()`

/** A network of libvirt's own, and another one beside it with a server. */
await bash(`
for one in all default eth0; do echo 0 > /proc/sys/net/ipv4/conf/$one/rp_filter; done
network() {
  printf '%s' "<network><name>$1</name><forward mode='nat'/><bridge name='$2'/>
<ip address='$3.1' netmask='255.255.255.0'>
<dhcp><range start='$3.10' end='$3.99'/></dhcp></ip>$4</network>" > /tmp/net.xml
  virsh net-define /tmp/net.xml; virsh net-start "$1"
  echo 0 > /proc/sys/net/ipv4/conf/$2/rp_filter
}
network inside ${BRIDGE} 192.168.77 "<ip family='ipv6' address='fd00:77::1' prefix='64'/>"
network beside virbr8 192.168.78 ''
mkdir -p /run/netns
ip netns add beside
ip link add v-beside type veth peer name eth0 netns beside
ip link set v-beside master virbr8 up
ip -n beside link set lo up; ip -n beside link set eth0 up
ip -n beside address add ${BESIDE}/24 dev eth0
ip route add ${BEYOND} via ${office.address}
ip address add fd00:9::1/64 dev eth0 nodad`)
await office.run(['ip', 'address', 'add', `${BEYOND}/32`, 'dev', 'lo'])
await office.run(['ip', 'address', 'add', `${FAR6}/64`, 'dev', 'eth0', 'nodad'])
const servers = [
  office.spawnInside(['python3', '-c', SERVER]),
  hv1.spawnInside(['ip', 'netns', 'exec', 'beside', 'python3', '-c', SERVER]),
  hv1.spawnInside(['python3', '-c', SERVER]),
]
t.teardown(() => {
  for (const server of servers) server.kill('SIGKILL')
})

/** A machine that is on, with the address that it leased, and a word that it serves. */
async function machine(name: string, port: number, word: string): Promise<string> {
  await berth.makeSource(name, 'one')
  const { job } = await berth.api.patch<{ job: string }>(`/machines/${name}`, {
    network: `bridge:${BRIDGE}`,
  })
  await berth.api.succeeded(job)
  await berth.power(name, 'start')
  await inGuest(
    `modprobe virtio_net; ip link set lo up; ip link set eth0 up
    printf '#!/bin/sh\\n[ "$1" = bound ] && ip addr add $ip/24 dev eth0\\n' > /tmp/dhcp; chmod +x /tmp/dhcp
    udhcpc -q -n -i eth0 -s /tmp/dhcp > /tmp/log 2>&1
    mkdir -p /tmp/www; printf '${word}' > /tmp/www/index.html; httpd -p ${port} -h /tmp/www`,
    name,
  )
  const shown = await inGuest('ip -4 -o addr show dev eth0', name)
  const leased = /192\.168\.77\.\d+/.exec(shown)?.[0]
  if (leased === undefined) throw new Error(`${name} leased no address`)
  return leased
}
const own = await machine('pc', 80, 'of the guest')
const neighbour = await machine('neighbour', PORT, SECRET)
// A liar does not ask whether somebody has the address already.
for (const name of ['pc', 'neighbour'])
  await inGuest('echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad', name)
await inGuest(
  `ip addr add ${FIXED}/24 dev eth0; ip addr add ${FIXED6}/64 dev eth0
  httpd -p '[${FIXED6}]:${PORT}' -h /tmp/www`,
  'neighbour',
)
const mac = (await inGuest('cat /sys/class/net/eth0/address')).trim()

/** Whose addresses the guest claims. */
const OTHERS: Readonly<Record<string, string>> = {
  'somebody on the network of the host itself': office.address,
  'somebody behind a gateway of the host': BEYOND,
  'somebody on another bridge of the host': BESIDE,
  'a neighbour that has leased it': neighbour,
  'a neighbour that has it without DHCP': FIXED,
  'a neighbour that has it without DHCP, with IPv6': FIXED6,
  'the host itself': hv1.address,
  'somebody with IPv6': FAR6,
}
const urlOf = (address: string): string =>
  `http://${address.includes(':') ? `[${address}]` : address}:${PORT}/`

async function counted(): Promise<string[]> {
  const line = await openHelper(hv1, null)
  const { items } = (await line.must('guest_addresses', { domain: 'pc' })) as {
    items: Array<{ address: string }>
  }
  await line.end()
  // It also gives itself one of the network's IPv6 prefix, as every guest does.
  return items
    .map(({ address }) => address)
    .filter((address) => address === FIXED6 || !address.startsWith('fd00:77::'))
}

/** What a person gets who forwards a port of the machine: what it answers, or why not. */
async function forwarded(port: number): Promise<string> {
  const child = desk.spawnInside(
    [process.execPath, join(ROOT, 'dist/cli/main.js'), 'port-forward', 'pc', `18080:${port}`],
    {
      env: {
        BERTH_BROKER: `${berth.fleet.gateway}:${berth.broker.port}`,
        BERTH_CA: join(berth.directory, 'data', 'ca.pem'),
        BERTH_TOKEN: berth.api.token ?? '',
        HOME: berth.directory,
      },
    },
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      said += data.toString()
    })
  try {
    await until(() => said.includes('127.0.0.1:18080') || child.exitCode !== null, {
      withinMs: 20_000,
      what: 'berth listens or refuses',
    })
    const { stdout } = await desk.run(['curl', '-sS', '-m', '30', 'http://127.0.0.1:18080/'])
    return stdout + said
  } finally {
    child.kill('SIGKILL')
  }
}

/** A guest that behaves is reached. */
async function isReached(t: T): Promise<void> {
  t.same(await counted(), [own])
  t.match(await forwarded(80), /of the guest/)
}

t.test('a guest that behaves is reached', isReached)

t.test(
  'a guest that claims the addresses of others is reached at its own, and nobody else is',
  async (t) => {
    // Before the lie: afterwards the host may take the liar for any of them.
    for (const [whose, address] of Object.entries(OTHERS))
      await until(async () => (await bash(`curl -gsS -m 3 '${urlOf(address)}'`)) === SECRET, {
        withinMs: 15_000,
        what: `${whose} answers to the host`,
      })
    for (const address of Object.values(OTHERS)) {
      const prefix = address.includes(':') ? 128 : 32
      await inGuest(`ip addr add ${address}/${prefix} dev eth0 2>/dev/null; true`)
    }
    for (const [whose, address] of Object.entries(OTHERS)) {
      if (address === hv1.address) continue // the kernel never has itself for a neighbour
      const believed = new RegExp(
        `^${address.replaceAll('.', '\\.')} dev ${BRIDGE} lladdr ${mac}`,
        'm',
      )
      await until(
        async () => {
          await (address.includes(':')
            ? bash(`ip neighbour replace ${address} dev ${BRIDGE} lladdr ${mac} nud stale`)
            : inGuest(`arping -q -c 1 -I eth0 -s ${address} 192.168.77.1; true`))
          return believed.test(await bash('ip neighbour'))
        },
        { withinMs: 15_000, what: `the host believes that it is ${whose}` },
      )
    }
    t.same(await counted(), [own], 'its own address counts, and no other')
    t.notMatch(await forwarded(PORT), SECRET)
    const { paths } = await berth.api.get<MachinePathList>('/machines/pc/paths')
    t.match(
      paths.filter(({ protocol }) => protocol === 'rdp'),
      [{ reachable: false, address: null }],
      'nor is it said that its RDP answers there',
    )
    await isReached(t)
  },
)
