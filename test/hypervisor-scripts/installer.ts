import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test } from 'tap'
import { mustRun, runCommand } from '../fleet/command.js'
import { type FleetHost } from '../fleet/fleet-host.js'
import { helperPath, runInstaller } from './prepared-host.js'

const account = 'berth'

/** The installer and the rights it gives. Leaves the host installed and libvirtd restarted. */
export async function installerTests(
  t: Test,
  host: FleetHost,
  installer: string,
  folder: string,
): Promise<void> {
  const key = join(folder, 'key')
  await mustRun(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'berth-broker', '-f', key])
  const publicKey = readFileSync(`${key}.pub`, 'utf8').trim()

  await t.test('refuses what it cannot do, in one sentence', (t) =>
    refusals(t, host, installer, publicKey),
  )
  await t.test('installs, and a second run changes nothing', (t) =>
    installTwice(t, host, installer, publicKey),
  )
  await t.test('gives the account one right', (t) => rights(t, host, key))
  await t.test('replaces the helper, and uninstalls', (t) =>
    replaceAndUninstall(t, host, installer, publicKey),
  )
}

async function refusals(
  t: Test,
  host: FleetHost,
  installer: string,
  publicKey: string,
): Promise<void> {
  t.match(await host.run(['bash'], { input: installer }), {
    code: 2,
    stderr: /^berth: the public key .*\n$/,
  })
  t.match(await runInstaller(host, installer, 'ssh-ed25519 $(id) x'), {
    code: 2,
    stderr: /public key/,
  })
  t.match(await runInstaller(host, installer, publicKey, '--rot', '/x'), {
    code: 2,
    stderr: /--rot/,
  })
  t.match(await runInstaller(host, installer, publicKey, '--root', '/a/../b'), {
    code: 2,
    stderr: /absolute path/,
  })
  await host.mustRun(['mkdir', '-m', '700', '/srv/closed'])
  t.match(await runInstaller(host, installer, publicKey, '--root', '/srv/closed'), {
    code: 1,
    stderr: /^berth: QEMU cannot enter \/srv\/closed \(mode 700\).*--root\.\n$/,
  })
  await host.mustRun(['rmdir', '/srv/closed'])
  const settings = '/etc/ssh/sshd_config.d/forbid.conf'
  await host.mustRun(['tee', settings], { input: 'AllowStreamLocalForwarding no\n' })
  t.match(await runInstaller(host, installer, publicKey), {
    code: 1,
    stderr: /^berth: .*AllowStreamLocalForwarding yes.*\n$/,
  })
  await host.mustRun(['rm', '--', settings])
  t.match(await host.run(['getent', 'passwd', account]), { code: 2 }, 'nothing was made')
}

async function installTwice(
  t: Test,
  host: FleetHost,
  installer: string,
  publicKey: string,
): Promise<void> {
  const first = await runInstaller(host, installer, publicKey, '--from', '10.0.0.0/8')
  t.match(first, { code: 0, stdout: /libvirtd must be restarted[^]*berth: this host is ready\n$/ })
  await host.restart('libvirtd')
  const second = await runInstaller(host, installer, publicKey, '--from', '10.0.0.0/8')
  t.match(second, {
    code: 0,
    stdout:
      /^berth: everything was in place already; nothing was changed\.\nberth: this host is ready\n$/,
  })
  const settings = await host.mustRun(['grep', '^spice_tls', '/etc/libvirt/qemu.conf'])
  t.equal(settings, 'spice_tls = 1\nspice_tls_x509_cert_dir = "/etc/pki/libvirt-spice"\n')
  t.equal(
    await host.mustRun(['stat', '-c', '%a %U', '/var/lib/berth-account/.ssh/authorized_keys']),
    '644 root\n',
  )
  await olderInstall(t, host, installer, publicKey)
}

/** What an older installer left open, and what the account has planted there, is corrected without following links. */
async function olderInstall(
  t: Test,
  host: FleetHost,
  installer: string,
  publicKey: string,
): Promise<void> {
  const ssh = '/var/lib/berth-account/.ssh'
  const image = '/var/lib/berth/images/old.g1.qcow2'
  await host.mustRun(['mkdir', '-p', '-m', '711', '/var/lib/berth/images'])
  await host.mustRun(['tee', '/root/victim', image], { input: 'precious' })
  const before = await host.mustRun(['stat', '-c', '%a %U %Y %i', '/root/victim'])
  await host.mustRun([
    'bash',
    '-c',
    `chown berth:berth ${ssh} && chmod 700 ${ssh} && rm ${ssh}/authorized_keys && ln -s ` +
      `/root/victim ${ssh}/authorized_keys && chmod 755 /var/lib/berth/import && chmod ` +
      `444 ${image}`,
  ])
  t.match(await runInstaller(host, installer, publicKey, '--from', '10.0.0.0/8'), { code: 0 })
  t.equal(readFileSync(host.path('/root/victim'), 'utf8'), 'precious')
  t.equal(await host.mustRun(['stat', '-c', '%a %U %Y %i', '/root/victim']), before)
  t.equal(
    await host.mustRun([
      'stat',
      '-c',
      '%a %U %F',
      ssh,
      `${ssh}/authorized_keys`,
      '/var/lib/berth/import',
      '/var/lib/berth/images',
      image,
    ]),
    '755 root directory\n644 root regular file\n700 root directory\n710 root directory\n440 root regular file\n',
  )
  const asAccount = (...words: string[]) =>
    host.run(['setpriv', '--reuid=berth', '--regid=berth', '--init-groups', '--', ...words])
  t.not((await asAccount('touch', `${ssh}/x`)).code, 0, 'the account cannot write there')
  t.not((await asAccount('cat', image)).code, 0, 'nor read an image')
  await host.mustRun(['rm', image])
}

function ssh(host: FleetHost, key: string, ...words: string[]) {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
  ].flatMap((one) => ['-o', one])
  return runCommand(
    [
      'ssh',
      '-i',
      key,
      '-T',
      ...options,
      ...words.slice(0, -1),
      `${account}@${host.address}`,
      words.at(-1) ?? '',
    ],
    {
      input: '{"id":"1","op":"ping"}\n',
      timeoutMs: 10_000,
    },
  )
}

async function rights(t: Test, host: FleetHost, key: string): Promise<void> {
  const rules = await host.mustRun(['sudo', '-l', '-U', account])
  t.same(
    rules.split('\n').filter((line) => line.startsWith('    (')),
    [`    (root) NOPASSWD: ${helperPath} ""`],
  )
  for (const wish of ['true', 'sh -i', 'sftp', '"; id"']) {
    const answer = await ssh(host, key, wish)
    t.match(
      answer.stdout,
      /^\{"hello":"berth-helper","protocol":1,[^\n]*\}\n\{"id":"1","ok":true,"result":\{\}\}\n$/,
      `ssh … ${wish}`,
    )
  }
  t.match(await ssh(host, key, '-tt', 'sh'), { code: 255, stdout: '' }, 'a terminal is refused')
  const asAccount = (...words: string[]) =>
    host.run(['setpriv', '--reuid=berth', '--regid=berth', '--init-groups', '--', ...words])
  t.match(await asAccount('sudo', '-n', helperPath, '--x'), { code: 1 }, 'no arguments')
  t.match(await asAccount('sudo', '-n', 'id'), { code: 1 }, 'no other program')
  t.match(await asAccount('sudo', '-n', '-E', helperPath), { code: 1 }, 'no environment')
  t.match(
    await host.run(['su', '-c', 'id', account], { input: '' }),
    { code: 0 },
    'the account has a shell for sshd',
  )
}

async function replaceAndUninstall(
  t: Test,
  host: FleetHost,
  installer: string,
  publicKey: string,
): Promise<void> {
  await host.mustRun(['sh', '-c', `printf '#' >> ${helperPath}`])
  t.match(await runInstaller(host, installer, publicKey, '--from', '10.0.0.0/8'), {
    code: 0,
    stdout: /^berth: installed the helper: .*\nberth: this host is ready\n$/,
  })
  t.match(await runInstaller(host, installer, publicKey, '--uninstall'), { code: 0 })
  t.match(await host.run(['getent', 'passwd', account]), { code: 2 })
  t.match(await host.run(['ls', '--', helperPath]), { code: 2 })
  t.match(await runInstaller(host, installer, publicKey, '--uninstall'), {
    code: 0,
    stdout: /nothing of Berth was installed/,
  })
  t.match(await runInstaller(host, installer, publicKey), { code: 0 })
}
