import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type FindingCode, FINDINGS } from '../../../broker/api/checks.js'
import { Authority } from '../../../broker/certificates/authority.js'
import { judgeCertificate, judgeDisplayAddress } from '../../../broker/doctor/display-policy.js'
import { findingOf, type Judgement, says } from '../../../broker/doctor/finding.js'
import {
  type AccountLook,
  judgeAccount,
  judgeClock,
  judgeHelper,
  judgeLibvirt,
  judgeNetworks,
  judgePrograms,
  judgeSshd,
  judgeVirtualisation,
} from '../../../broker/doctor/host-policy.js'
import {
  type DirectoryLook,
  judgeDirectory,
  judgeFiles,
  sizeText,
} from '../../../broker/doctor/storage-policy.js'
import { table } from './judgement-table.js'

const sshd = (settings: Record<string, string>): Judgement =>
  judgeSshd({
    settings: {
      maxsessions: '10',
      maxstartups: '10:30:100',
      allowtcpforwarding: 'yes',
      allowstreamlocalforwarding: 'yes',
      ...settings,
    },
  })
const ACCOUNT: AccountLook = {
  groups: ['libvirt'],
  rule_is_ours: true,
  rule_mode: '440 0:0',
  commands: ['one'],
  keys: [{ restricted: true, forced: true }],
}
const account = (change: Partial<AccountLook>): Judgement =>
  judgeAccount({ ...ACCOUNT, ...change }, 'hv1')

table('helper, sshd and account', [
  ['the same helper', judgeHelper('abc', 'abc'), ['helper-same']],
  ['another', judgeHelper('abc', 'def'), ['helper-other']],
  ['a broker that was not built knows no better', judgeHelper('abc', null), ['helper-same']],
  ['sshd as Debian has it', sshd({}), ['sshd-room']],
  ['no forwarding of sockets', sshd({ allowstreamlocalforwarding: 'no' }), ['sshd-no-forwarding']],
  ['only of remote ports', sshd({ allowtcpforwarding: 'remote' }), ['sshd-no-forwarding']],
  ['all forbidden at once', sshd({ disableforwarding: 'yes' }), ['sshd-no-forwarding']],
  ['two sessions', sshd({ maxsessions: '2' }), ['sshd-few-sessions']],
  ['one login at a time', sshd({ maxstartups: '1:50:10' }), ['sshd-few-starts']],
  ['the account as it was made', account({}), ['account-exact']],
  ['no account', account({ groups: null }), ['account-missing']],
  ['not in libvirt', account({ groups: [] }), ['account-not-libvirt']],
  ['in docker too', account({ groups: ['docker', 'libvirt'] }), ['account-more-groups']],
  ['another rule', account({ rule_is_ours: false }), ['account-other-rule']],
  ['a rule that others may write', account({ rule_mode: '666 0:0' }), ['account-other-rule']],
  ['sudo for more', account({ commands: ['one', 'two'] }), ['account-more-commands']],
  [
    'a key without the command',
    account({ keys: [{ restricted: true, forced: false }] }),
    ['account-open-key'],
  ],
  [
    'a key of an earlier broker',
    account({
      keys: [
        { restricted: true, forced: true },
        { restricted: true, forced: true },
      ],
    }),
    ['account-more-keys'],
  ],
])

table('clock, libvirt, programs, virtualisation', [
  ['half a second', judgeClock(1_500, 1_000, 1_000), ['clock-right']],
  ['the way there and back is no skew', judgeClock(10_000, 0, 20_000), ['clock-right']],
  ['ten seconds', judgeClock(11_000, 1_000, 1_000), ['clock-off']],
  ['a day', judgeClock(0, 86_400_000, 86_400_000), ['clock-far']],
  ['Debian 12', judgeLibvirt({ libvirt: '9.0.0', qemu: '7.2.0' }, null), ['libvirt-answers']],
  [
    'newer, by number and not by letter',
    judgeLibvirt({ libvirt: '10.1.0', qemu: '8.2.0' }, null),
    ['libvirt-answers'],
  ],
  ['older', judgeLibvirt({ libvirt: '8.10.0', qemu: '7.0.0' }, null), ['libvirt-old']],
  [
    'not through the connection',
    judgeLibvirt({ libvirt: '9.0.0', qemu: '7.2.0' }, 'It is away.'),
    ['libvirt-unreached'],
  ],
  ['all there', judgePrograms({ qemu_img: 'a', qemu: 'b' }), ['programs-there']],
  ['one is missing', judgePrograms({ qemu_img: null, qemu: 'b' }), ['programs-missing']],
  ['kvm', judgeVirtualisation('kvm', '', 'auto', 'hv1'), ['virt-kvm']],
  ['emulated', judgeVirtualisation('qemu', 'no.', 'auto', 'hv1'), ['virt-emulated']],
  [
    'emulated, and so it is wanted',
    judgeVirtualisation('qemu', 'no.', 'qemu', 'hv1'),
    ['virt-wanted'],
  ],
  ['set to what is not there', judgeVirtualisation('qemu', 'no.', 'kvm', 'hv1'), ['virt-no-kvm']],
])

const NETWORKS = {
  networks: [
    { name: 'default', active: true, autostart: true },
    { name: 'lab', active: true, autostart: false },
    { name: 'off', active: false, autostart: true },
  ],
  bridges: [
    { name: 'br0', up: true },
    { name: 'br1', up: false },
  ],
}
table('networks', [
  ['no machine', judgeNetworks(NETWORKS, []), ['networks-none']],
  ['none that needs one', judgeNetworks(NETWORKS, ['none']), ['networks-none']],
  [
    'all there',
    judgeNetworks(NETWORKS, ['network:default', 'bridge:br0', 'none']),
    ['networks-there'],
  ],
  ['gone after a restart', judgeNetworks(NETWORKS, ['network:lab']), ['network-no-autostart']],
  ['off', judgeNetworks(NETWORKS, ['network:off']), ['network-inactive']],
  [
    'unknown',
    judgeNetworks(NETWORKS, ['network:x', 'bridge:x']),
    ['network-missing', 'bridge-missing'],
  ],
  ['a bridge that is down', judgeNetworks(NETWORKS, ['bridge:br1']), ['bridge-down']],
])

const GIB = 1_073_741_824
const GOOD = {
  path: '/images',
  fault: null,
  owner: 'root',
  mode: '710',
  qemu_group: 'libvirt-qemu',
  device: 1,
  free_bytes: 500 * GIB,
  total_bytes: 1_000 * GIB,
  free_inodes: 900,
  total_inodes: 1_000,
  writable: true,
  reflink: true,
  keeps_marks: true,
  closed_by: null,
} as const
const directory = (
  change: Partial<Extract<DirectoryLook, { fault: null }>> | { fault: string },
): Judgement => {
  const look = { ...GOOD, ...change } as DirectoryLook
  return judgeDirectory('images', { images: look, overlays: look, transient: look })
}
table('directories', [
  ['good', directory({}), ['directory-good']],
  ['gone', directory({ fault: 'No such file or directory' }), ['directory-unusable']],
  ['read-only', directory({ writable: false }), ['directory-read-only']],
  ['without extended attributes', directory({ keeps_marks: false }), ['directory-no-marks']],
  ['closed on the way', directory({ closed_by: '/srv' }), ['directory-closed']],
  ['little left', directory({ free_bytes: 60 * GIB }), ['directory-filling']],
  ['nearly nothing left', directory({ free_bytes: GIB }), ['directory-full']],
  ['no inodes', directory({ free_inodes: 3 }), ['directory-inodes']],
  [
    'a file system without a table of inodes',
    directory({ free_inodes: 0, total_inodes: 0 }),
    ['directory-good'],
  ],
  ['of another owner', directory({ owner: 'berth' }), ['directory-owner']],
  ['open to all', directory({ mode: '1777' }), ['directory-open']],
  ['entered by all', directory({ mode: '711' }), ['directory-entered']],
  ['listed by all', directory({ mode: '755' }), ['directory-entered']],
  [
    'several faults',
    directory({ writable: false, keeps_marks: false, mode: '777' }),
    ['directory-read-only', 'directory-open'],
  ],
])

const files = (images: string[], known: string[]): Judgement =>
  judgeFiles(
    { images: images.map((name) => ({ name, bytes: 1_024 })), overlays: [], transient: [] },
    new Set(known),
  )
table('files', [
  ['nothing', files([], []), ['files-used']],
  [
    'known ones',
    files(['a.qcow2', 'a.qcow2.part', 'a.qcow2.TRANSIENT-a'], ['a.qcow2']),
    ['files-used'],
  ],
  ['an unknown one', files(['b.qcow2'], ['a.qcow2']), ['files-left']],
  [
    "what is no image is not Berth's business",
    files(['debian.iso', 'lost+found'], []),
    ['files-used'],
  ],
  ['an unknown layer', files(['b.qcow2.TRANSIENT-b'], ['a.qcow2']), ['files-left']],
])

table("the display's address", [
  ['its own', judgeDisplayAddress('hv1', ['10.0.0.1'], ['10.0.0.1', '10.1.0.1']), ['display-own']],
  ['elsewhere', judgeDisplayAddress('hv1', ['192.0.2.1'], ['10.0.0.1']), ['display-elsewhere']],
  ['an unknown name', judgeDisplayAddress('hv1', null, ['10.0.0.1']), ['display-unknown']],
  ['itself', judgeDisplayAddress('localhost', ['127.0.0.1'], ['10.0.0.1']), ['display-loopback']],
])

t.test('the certificate of the displays', async (t) => {
  const [own, other] = [1, 2].map(() => mkdtempSync(join(tmpdir(), 'berth-ca-')))
  t.teardown(() => {
    for (const one of [own, other]) rmSync(one ?? '', { recursive: true })
  })
  const [authority, stranger] = [await Authority.open(own ?? ''), await Authority.open(other ?? '')]
  const { certificate } = await authority.issueServer(['10.0.0.1', 'hv1.example.org'])
  const key = { present: true, matches: true, mode: '640' }
  const judged = (change: {
    certificate?: string | null
    key?: object
    address?: string
    nowMs?: number
    ca?: string
  }): FindingCode[] =>
    judgeCertificate(
      {
        certificate: change.certificate === undefined ? certificate : change.certificate,
        ca: null,
      },
      { ...key, ...change.key },
      {
        ca: change.ca ?? authority.certificate,
        address: change.address ?? '10.0.0.1',
        name: 'hv1',
        nowMs: change.nowMs ?? Date.parse('2026-01-01'),
      },
    ).says.map(({ code }) => code)
  t.same(judged({}), ['certificate-good'])
  t.same(judged({ address: 'hv1.example.org' }), ['certificate-good'])
  t.same(judged({ certificate: null }), ['certificate-missing'])
  t.same(judged({ ca: stranger.certificate }), ['certificate-foreign'])
  t.same(
    judged({ address: '10.0.0.11' }),
    ['certificate-other-name'],
    'an address that only begins alike',
  )
  t.same(judged({ nowMs: Date.parse('2049-12-10') }), ['certificate-ends'])
  t.same(judged({ nowMs: Date.parse('2050-02-01') }), ['certificate-ended'])
  t.same(judged({ key: { matches: false } }), ['certificate-key'])
  t.same(judged({ key: { mode: '644' } }), ['certificate-open-key'])
})

t.test('a finding in words', async (t) => {
  const finding = findingOf(
    says(
      '7 s',
      { code: 'clock-off', values: { seconds: 7 } },
      { code: 'directory-read-only', values: { path: '/x' } },
      { code: 'clock-right' },
    ),
  )
  t.match(finding, {
    result: 'failed',
    measured: '7 s',
    says: [
      { code: 'directory-read-only', sentence: 'Nothing can be written to /x.' },
      { code: 'clock-off', sentence: "The host's clock is 7 s away from the broker's." },
      { code: 'clock-right', advice: '' },
    ],
  })
  for (const [code, { result, advice, sentence }] of Object.entries(FINDINGS)) {
    t.equal(
      advice !== '',
      result === 'failed' || result === 'warning',
      `${code} says what to do where there is something to do`,
    )
    t.match(sentence, /(\.|\}\})$/, code)
  }
  t.same([0, 512, 1_536, 200 * 1_024, 3 * 1_024 ** 4].map(sizeText), [
    '0 B',
    '512 B',
    '1.5 KiB',
    '200 KiB',
    '3.0 TiB',
  ])
})
