import { once } from 'node:events'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { until } from '../support/until.js'
import { mustRun, runCommand } from './command.js'
import { type FleetHost } from './fleet-host.js'
import { startFleet } from './fleet.js'
import { guestImage, readGuestScreen, writeIntoImage } from './guest-image.js'
import { plainDomainXml } from './plain-domain.js'
import { namespaceOf, processesIn } from './processes.js'
import { nothing, remainsOf } from './remains.js'
import { startScreen } from './screen.js'

const bootTimeoutMs = 60_000
const images = '/var/lib/libvirt/images'
const testTimeoutMs = 600_000

const ssh = (key: string, host: FleetHost, ...argv: string[]) =>
  runCommand([
    ...[
      'ssh',
      '-i',
      key,
      '-o',
      'BatchMode=yes',
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
    ],
    ...[
      '-o',
      'LogLevel=ERROR',
      '-o',
      'ConnectTimeout=3',
      '-o',
      'ServerAliveInterval=1',
      '-o',
      'ServerAliveCountMax=2',
    ],
    ...['-o', 'ControlPath=none', `root@${host.address}`, '--', ...argv],
  ])

async function startGuest(host: FleetHost, name: string, generation: string): Promise<void> {
  const disk = `${images}/${name}.qcow2`
  copyFileSync(await guestImage(), host.path(disk))
  await writeIntoImage(host.path(disk), '/etc/berth-generation', `${generation}\n`)
  writeFileSync(host.path('/root/domain.xml'), plainDomainXml({ name, disk }))
  await host.mustRun(['virsh', 'define', '/root/domain.xml'])
  await host.mustRun(['virsh', 'start', name])
}

function guestShows(host: FleetHost, name: string) {
  return until(
    async () => {
      await host.mustRun(['virsh', 'screenshot', name, '/root/screen'])
      return await readGuestScreen(host.path('/root/screen'))
    },
    { withinMs: bootTimeoutMs, everyMs: 300, what: `the screen of ${name} shows its code` },
  )
}

// The runner's own 30 s for a file are too short for guests that boot.
t.setTimeout(testTimeoutMs)
const fleet = await startFleet({ hosts: 2 })
t.teardown(() => fleet.stop())
const [one, two] = fleet.hosts
if (!one || !two) throw new Error('two hosts were asked for')
const keys = mkdtempSync(join(tmpdir(), 'berth-test-key-'))
t.teardown(() => rmSync(keys, { recursive: true }))
const key = join(keys, 'key')
await mustRun(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key])
for (const host of [one, two]) {
  await host.mustRun(['mkdir', '-p', '-m', '0700', '/root/.ssh'])
  await host.mustRun(['tee', '/root/.ssh/authorized_keys'], { input: readFileSync(`${key}.pub`) })
}
const virsh = (host: FleetHost, ...argv: string[]) =>
  ssh(key, host, 'virsh', '-c', 'qemu:///system', ...argv)

t.test('are separate libvirts over SSH', async (t) => {
  t.equal((await ssh(key, one, 'hostname')).stdout.trim(), 'hv1')
  t.equal((await ssh(key, two, 'hostname')).stdout.trim(), 'hv2')
  writeFileSync(
    one.path('/root/domain.xml'),
    plainDomainXml({ name: 'only-here', disk: `${images}/none.qcow2` }),
  )
  await one.mustRun(['virsh', 'define', '/root/domain.xml'])
  t.match(await virsh(one, 'list', '--all', '--name'), { stdout: 'only-here\n\n' })
  t.match(await virsh(two, 'list', '--all', '--name'), { stdout: '\n' })
  t.not(await one.hostKeyFingerprint(), await two.hostKeyFingerprint())
  await one.mustRun(['virsh', 'undefine', 'only-here'])
  t.notOk(existsSync('/etc/libvirt/qemu/only-here.xml'), 'the machine itself knows nothing of it')
})

t.test('run a guest whose screen says who it is, also to a viewer at a desk', async (t) => {
  await startGuest(one, 'pc-01', 'g7')
  t.strictSame(await guestShows(one, 'pc-01'), { name: 'pc-01', generation: 'g7', boots: 1 })
  const desk = await fleet.addDesk()
  const screen = await startScreen(desk)
  const address = (await one.mustRun(['virsh', 'domdisplay', 'pc-01']))
    .trim()
    .replace(/localhost|0\.0\.0\.0|127\.0\.0\.1/, one.address)
  const viewer = desk.spawnInside(
    ['remote-viewer', '--kiosk', '--kiosk-quit=on-disconnect', address],
    { env: { DISPLAY: screen.display } },
  )
  viewer.stdout.resume()
  viewer.stderr.resume()
  const picture = join(desk.stateDir, 'screen.png')
  const seen = await until(
    async () => {
      await screen.screenshot(picture)
      return await readGuestScreen(picture)
    },
    { withinMs: 20_000, everyMs: 300, what: 'the desk shows the guest' },
  )
  t.match(seen, { name: 'pc-01', generation: 'g7' })
  viewer.kill('SIGTERM')
  await once(viewer, 'exit')
  await screen.stop()
  await desk.stop()
})

t.test('a guest answers its agent, powers off on the button, and counts boots', async (t) => {
  t.match(
    await one.mustRun(['virsh', 'qemu-agent-command', 'pc-01', '{"execute":"guest-ping"}']),
    '{"return":{}}',
  )
  const startMs = performance.now()
  await one.mustRun(['virsh', 'shutdown', '--mode', 'acpi', 'pc-01'])
  await until(
    async () => (await one.mustRun(['virsh', 'domstate', 'pc-01'])).includes('shut off'),
    { withinMs: 10_000, what: 'pc-01 is off' },
  )
  t.comment(`off after ${Math.round(performance.now() - startMs)} ms`)
  await one.mustRun(['virsh', 'start', 'pc-01'])
  t.equal((await guestShows(one, 'pc-01')).boots, 2)
})

t.test(
  'a guest restarts on Ctrl-Alt-Del, and keeps what was written when the plug is pulled',
  async (t) => {
    await one.mustRun(['virsh', 'send-key', 'pc-01', 'KEY_LEFTCTRL', 'KEY_LEFTALT', 'KEY_DELETE'])
    await until(async () => (await guestShows(one, 'pc-01')).boots === 3, {
      withinMs: bootTimeoutMs,
      what: 'the third boot',
    })
    const agent = async (command: object) => {
      const answer = await one.mustRun([
        'virsh',
        'qemu-agent-command',
        'pc-01',
        JSON.stringify(command),
      ])
      return (JSON.parse(answer) as { return: unknown }).return
    }
    await until(() => agent({ execute: 'guest-ping' }), {
      withinMs: 10_000,
      what: 'the agent answers',
    })
    const open = (mode: string) =>
      agent({ execute: 'guest-file-open', arguments: { path: '/root/note', mode } })
    const written = Buffer.from('kept').toString('base64')
    const handle = await open('w')
    await agent({ execute: 'guest-file-write', arguments: { handle, 'buf-b64': written } })
    await agent({ execute: 'guest-file-close', arguments: { handle } })
    await one.mustRun(['virsh', 'destroy', 'pc-01'])
    await one.mustRun(['virsh', 'start', 'pc-01'])
    const reopened = await until(() => open('r'), {
      withinMs: bootTimeoutMs,
      what: 'the file is there',
    })
    t.match(await agent({ execute: 'guest-file-read', arguments: { handle: reopened } }), {
      'buf-b64': written,
    })
  },
)

t.test('can be cut off and healed', async (t) => {
  await one.cut()
  t.not((await ssh(key, one, 'true')).code, 0)
  t.equal((await ssh(key, two, 'true')).code, 0, 'the other one is not hurt')
  await one.heal()
  await until(async () => (await ssh(key, one, 'true')).code === 0, {
    withinMs: 10_000,
    what: 'hv1 answers again',
  })
})

t.test('can be stalled and resumed', async (t) => {
  const list = ['timeout', '1', 'virsh', 'list']
  await one.stall('libvirtd')
  t.equal((await one.run(list)).code, 124, 'libvirtd accepts and does not answer')
  await one.resume('libvirtd')
  t.equal((await one.run(list)).code, 0)
  await two.stall('sshd')
  t.not((await ssh(key, two, 'true')).code, 0)
  await two.resume('sshd')
  await until(async () => (await ssh(key, two, 'true')).code === 0, {
    withinMs: 10_000,
    what: 'hv2 answers again',
  })
})

t.test('a killed or restarted libvirtd leaves guests running', async (t) => {
  await one.kill('libvirtd')
  await until(async () => (await one.run(['timeout', '1', 'virsh', 'list'])).code !== 0, {
    withinMs: 5000,
    what: 'libvirtd is gone',
  })
  await one.restart('libvirtd')
  await until(async () => (await one.mustRun(['virsh', 'list', '--name'])).includes('pc-01'), {
    withinMs: 10_000,
    what: 'pc-01 is listed',
  })
  await one.restart('sshd')
  t.equal((await ssh(key, one, 'true')).code, 0)
})

t.test('a full disk, a disk with reflinks, a new host key', async (t) => {
  const undo = await one.limitDisk('/var/lib/small', 1 << 20)
  const write = ['dd', 'if=/dev/zero', 'of=/var/lib/small/file', 'bs=1M', 'count=2']
  t.match((await one.run(write)).stderr, 'No space left on device')
  await undo()
  t.equal((await one.run(write)).code, 0)
  const unplug = await one.reflinkDisk('/var/lib/small', 400 << 20)
  await one.mustRun(['cp', '/etc/hostname', '/var/lib/small/a'])
  t.equal(
    (await one.run(['cp', '--reflink=always', '/var/lib/small/a', '/var/lib/small/b'])).code,
    0,
  )
  await unplug()
  const before = await one.hostKeyFingerprint()
  await one.changeHostKey()
  t.not(await one.hostKeyFingerprint(), before)
  t.match(
    await mustRun(['sh', '-c', `ssh-keyscan -t ed25519 ${one.address} 2>&1 | ssh-keygen -l -f -`]),
    await one.hostKeyFingerprint(),
  )
})

t.test('a power cut ends all on it; its disk comes back', async (t) => {
  const namespace = namespaceOf(one.pid)
  await one.powerCut()
  t.strictSame(namespace === undefined ? [] : processesIn(namespace), [])
  t.not((await ssh(key, one, 'true')).code, 0)
  await one.powerOn()
  t.match((await virsh(one, 'list', '--all')).stdout, /pc-01 +shut off/)
  await one.mustRun(['virsh', 'start', 'pc-01'])
  t.match(await guestShows(one, 'pc-01'), { name: 'pc-01', generation: 'g7', boots: 5 })
})

t.test('collects its dead processes', async (t) => {
  t.notMatch(await one.mustRun(['ps', '-e', '-o', 'stat,comm']), /^Z/m)
  t.notMatch(await two.mustRun(['ps', '-e', '-o', 'stat,comm']), /^Z/m)
})

t.test('stop leaves nothing', async (t) => {
  const namespaces = [one, two].flatMap((host) => namespaceOf(host.pid) ?? [])
  await fleet.stop()
  t.strictSame(await remainsOf(fleet.bridge, dirname(one.stateDir), namespaces), nothing)
})
