import { writeFileSync } from 'node:fs'
import t from 'tap'
import {
  type CheckId,
  CHECKS,
  type CheckStarted,
  type Finding,
} from '../../../broker/api/checks.js'
import { BerthOnFleet, IMAGES } from '../../support/berth-on-fleet.js'
import { until } from '../../support/until.js'

t.setTimeout(900_000)
const berth = await BerthOnFleet.start({ hosts: 1, name: 'doctor' })
t.teardown(async () => {
  await berth.stop()
})
const host = berth.host(1)

async function check(): Promise<Map<CheckId, Finding>> {
  const { job } = await berth.api.post<CheckStarted>(`/hypervisors/${host.name}/check`)
  const ended = await berth.api.ended(job)
  return new Map(
    ended.targets.flatMap(({ name, finding }) =>
      finding ? [[name as CheckId, finding] as const] : [],
    ),
  )
}
const results = (found: Map<CheckId, Finding>): Record<string, string> =>
  Object.fromEntries([...found].map(([id, { result }]) => [id, result]))
const codes = (found: Map<CheckId, Finding>, id: CheckId): string[] =>
  found.get(id)?.says.map(({ code }) => code) ?? []

t.test('a host that the installer has prepared is in good order', async (t) => {
  await berth.makeSource('golden', 'one')
  const before = await host.mustRun([
    'find',
    '/var/lib/berth',
    '/etc/berth',
    '/etc/pki/libvirt-spice',
    '/var/lib/berth-account',
    '-printf',
    '%p %m %s %T@ %U\n',
  ])
  const found = await check()
  t.comment(
    JSON.stringify(
      [...found].map(([id, { result, measured, says }]) => [
        id,
        result,
        measured,
        says.map(({ sentence }) => sentence).join(' '),
      ]),
      null,
      1,
    ),
  )
  t.same(results(found), Object.fromEntries(CHECKS.map((id) => [id, 'ok'])))
  t.equal(
    await host.mustRun([
      'find',
      '/var/lib/berth',
      '/etc/berth',
      '/etc/pki/libvirt-spice',
      '/var/lib/berth-account',
      '-printf',
      '%p %m %s %T@ %U\n',
    ]),
    before,
    'nothing on the host was changed',
  )
})

t.test('a file system that keeps no marks is named before anything is to be created', async (t) => {
  await host.mustRun(['mount', '-t', 'ramfs', '-o', 'mode=711', 'ramfs', '/var/lib/berth/overlays'])
  const found = await check()
  t.ok(codes(found, 'overlays').includes('directory-no-marks'))
  t.ok(codes(found, 'overlays').includes('directory-entered'))
  t.notOk(codes(found, 'images').includes('directory-no-marks'))
  await host.mustRun(['umount', '/var/lib/berth/overlays'])
})

t.test('what is wrong on the host is found', async (t) => {
  await host.mustRun([
    'sh',
    '-c',
    'echo MaxSessions 2 >>/etc/ssh/sshd_config; chmod 777 /var/lib/berth/overlays; chmod 644 ' +
      '/etc/pki/libvirt-spice/server-key.pem; usermod -aG kvm berth; echo "berth ALL=(root) ' +
      'NOPASSWD: /bin/true" >>/etc/sudoers.d/berth',
  ])
  await host.mustRun([
    'sh',
    '-c',
    "cp /var/lib/berth-account/.ssh/authorized_keys /root/keys; cut -d' ' -f4- /root/keys " +
      '>>/var/lib/berth-account/.ssh/authorized_keys',
  ])
  writeFileSync(host.path(`${IMAGES}/stray.g7.qcow2`), Buffer.alloc(4_096, 1))
  const found = await check()
  t.same(codes(found, 'sshd'), ['sshd-few-sessions'])
  t.same(codes(found, 'overlays'), ['directory-open'])
  t.same(codes(found, 'certificate'), ['certificate-open-key'])
  t.same(codes(found, 'account').sort(), [
    'account-more-commands',
    'account-more-groups',
    'account-open-key',
    'account-other-rule',
  ])
  t.match(found.get('files'), {
    result: 'warning',
    says: [{ code: 'files-left', values: { names: 'stray.g7.qcow2 (4.0 KiB)' } }],
  })
  await host.mustRun([
    'sh',
    '-c',
    'cp /root/keys /var/lib/berth-account/.ssh/authorized_keys; sed -i "/MaxSessions 2/d" ' +
      '/etc/ssh/sshd_config; chmod 710 /var/lib/berth/overlays; chmod 640 ' +
      '/etc/pki/libvirt-spice/server-key.pem; gpasswd -d berth kvm; sed -i "/bin.true/d" ' +
      '/etc/sudoers.d/berth',
  ])
})

t.test('libvirtd is away: the host is looked at all the same', async (t) => {
  await host.kill('libvirtd')
  const found = await check()
  t.same(codes(found, 'login'), ['login-done'])
  t.same(codes(found, 'libvirt'), ['libvirt-silent'])
  t.equal(found.get('images')?.result, 'ok')
  t.equal(
    found.get('domains')?.result,
    'failed',
    'what libvirt is needed for could not be looked at',
  )
  await host.restart('libvirtd')
  await berth.untilHypervisor(host.name, 'up')
})

t.test('a host without python3-libvirt: the package is named', async (t) => {
  await host.mustRun([
    'sh',
    '-c',
    'for one in /usr/lib/python3/dist-packages/libvirtmod.*.so; do mount --bind /dev/null $one; ' +
      'done; pkill -f [l]ibvirt_verbs',
  ])
  const [said] = (await check()).get('libvirt')?.says ?? []
  t.equal(said?.code, 'libvirt-silent')
  t.match(said?.sentence, /install the package python3-libvirt/)
  await host.mustRun(['sh', '-c', 'umount /usr/lib/python3/dist-packages/libvirtmod.*.so'])
  t.equal((await check()).get('libvirt')?.result, 'ok')
})

t.test('another host key, and no sshd: it is said where it ends', async (t) => {
  await host.kill('sshd')
  await berth.untilHypervisor(host.name, 'unreachable')
  const silent = await check()
  t.same(codes(silent, 'port'), ['port-refused'])
  t.equal(silent.get('files')?.result, 'skipped')
  await host.changeHostKey()
  const changed = await check()
  t.same(codes(changed, 'host-key'), ['key-changed'])
  t.equal(changed.get('login')?.result, 'skipped')
})

t.test('a refused key', async (t) => {
  const { offered } = await berth.api.get<{ offered: string }>(`/hypervisors/${host.name}/host-key`)
  await berth.api.post(`/hypervisors/${host.name}/trust`, { fingerprint: offered })
  await berth.untilHypervisor(host.name, 'up')
  await host.mustRun(['mv', '/var/lib/berth-account/.ssh/authorized_keys', '/root/keys'])
  const found = await check()
  t.same(codes(found, 'login'), ['login-refused'])
  await host.mustRun(['mv', '/root/keys', '/var/lib/berth-account/.ssh/authorized_keys'])
  await until(
    async () =>
      (await check()).get('files')?.result === 'ok' ||
      (await check()).get('login')?.result === 'ok',
    { withinMs: 30_000, what: 'the broker gets in again' },
  )
})
