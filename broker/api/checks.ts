import { type Static, Type } from '@sinclair/typebox'
import { oneOf, strictObject } from './common.js'

/** What is looked at on a hypervisor, in this order. */
export const CHECKS = [
  'name',
  'port',
  'host-key',
  'login',
  'helper',
  'sshd',
  'account',
  'clock',
  'libvirt',
  'programs',
  'virtualisation',
  'networks',
  'images',
  'overlays',
  'transient',
  'certificate',
  'display-address',
  'domains',
  'definitions',
  'files',
] as const
export type CheckId = (typeof CHECKS)[number]
/**
 * warning: it works, and somebody should look. skipped: it could not be looked at, since something
 * before it failed.
 */
export const FINDING_RESULTS = ['ok', 'warning', 'failed', 'skipped'] as const
export type FindingResult = (typeof FINDING_RESULTS)[number]

interface Meaning {
  readonly result: FindingResult
  readonly sentence: string
  readonly advice: string
}
const ok = (sentence: string): Meaning => ({ result: 'ok', sentence, advice: '' })
const warning = (sentence: string, advice: string): Meaning => ({
  result: 'warning',
  sentence,
  advice,
})
const failed = (sentence: string, advice: string): Meaning => ({
  result: 'failed',
  sentence,
  advice,
})

/** Everything that a check can say: a closed list. `{{word}}` stands for a value of the finding. */
export const FINDINGS = {
  'name-found': ok('{{address}} leads to {{found}}.'),
  'name-unknown': failed(
    "The name {{address}} is not known to the broker's machine.",
    "Correct the name in the DNS or in /etc/hosts of the broker's machine.",
  ),
  'port-open': ok('Somebody answers at {{address}} port {{port}}.'),
  'port-refused': failed(
    'Nothing listens at {{address}} port {{port}}.',
    'Start sshd on the host, or look whether it listens on another port.',
  ),
  'port-silent': failed(
    '{{address}} port {{port}} does not answer.',
    'Look whether the host is on, whether its network is up, and whether a firewall is between.',
  ),
  'key-pinned': ok('The host shows the key that was confirmed.'),
  'key-changed': failed(
    'The host shows the key {{offered}}, confirmed was {{pinned}}.',
    'If the host was reinstalled, compare its key and run "berth hypervisor trust {{name}}"; ' +
      'otherwise somebody may stand between.',
  ),
  'no-ssh': failed(
    'What answers there does not speak SSH to its end: {{reason}}',
    'Look at sshd and its log on the host.',
  ),
  'login-done': ok("The broker's key is accepted."),
  'login-refused': failed(
    "The host refuses the broker's key.",
    'Run the install line of "berth hypervisor show {{name}}" on it as root.',
  ),
  'login-failed': failed(
    'The login did not end: {{reason}}',
    'Look at the log of sshd on the host.',
  ),
  'helper-same': ok("The helper is the broker's own."),
  'helper-other': warning(
    'The host has the helper {{found}}, the broker brings {{own}}.',
    'Run the install line of "berth hypervisor show {{name}}" on it as root.',
  ),
  'helper-silent': failed(
    'The helper does not answer: {{reason}}',
    'Run the install line of "berth hypervisor show {{name}}" on it as root.',
  ),
  'sshd-room': ok('sshd lets the broker have what it needs.'),
  'sshd-no-forwarding': failed(
    'sshd forbids {{setting}}.',
    'Set "{{setting}} yes" for the user berth in /etc/ssh/sshd_config and restart sshd.',
  ),
  'sshd-few-sessions': warning(
    'sshd allows {{count}} sessions in a connection.',
    'Set "MaxSessions 10" in /etc/ssh/sshd_config: helper and carried images need one each.',
  ),
  'sshd-few-starts': warning(
    'sshd lets {{count}} connections log in at one time.',
    'Set "MaxStartups 10:30:100" in /etc/ssh/sshd_config, or the broker may wait behind others.',
  ),
  'account-exact': ok('The account berth may do what it needs and nothing else.'),
  'account-missing': failed(
    'There is no account berth.',
    'Run the install line of "berth hypervisor show {{name}}" on it as root.',
  ),
  'account-not-libvirt': failed(
    'The account berth is not in the group libvirt.',
    'Run "usermod -aG libvirt berth" on the host.',
  ),
  'account-more-groups': warning(
    'The account berth is also in {{groups}}.',
    'Take it out of them with "gpasswd -d berth GROUP": it needs libvirt only.',
  ),
  'account-other-rule': warning(
    'The sudo rule in /etc/sudoers.d/berth is not as the installer writes it.',
    'Run the install line of "berth hypervisor show {{name}}" on it as root.',
  ),
  'account-more-commands': warning(
    'sudo lets the account berth run {{count}} things, one is needed.',
    'Look at "sudo -l -U berth" on the host and remove the other rules.',
  ),
  'account-open-key': failed(
    '{{count}} keys of the account berth are not bound to the helper.',
    'Remove them from /var/lib/berth-account/.ssh/authorized_keys; the install line writes the right one.',
  ),
  'account-more-keys': warning(
    '{{count}} keys may log in as berth, one is needed.',
    'Remove those of earlier brokers from /var/lib/berth-account/.ssh/authorized_keys.',
  ),
  'clock-right': ok('The clocks of host and broker agree.'),
  'clock-off': warning(
    "The host's clock is {{seconds}} s away from the broker's.",
    'Let both follow a time server (chrony, systemd-timesyncd).',
  ),
  'clock-far': failed(
    "The host's clock is {{seconds}} s away from the broker's.",
    'Set it, and let both follow a time server (chrony, systemd-timesyncd).',
  ),
  'libvirt-answers': ok('libvirt answers and is new enough.'),
  'libvirt-silent': failed(
    'libvirt does not answer on the host: {{reason}}',
    'Look at "systemctl status libvirtd" on the host.',
  ),
  'libvirt-unreached': failed(
    'libvirt answers on the host, but not to the broker: {{reason}}',
    'Look whether the group libvirt may use /run/libvirt/libvirt-sock, and whether sshd forwards to sockets.',
  ),
  'libvirt-old': warning(
    'libvirt {{found}} is older than {{needed}}, with which Berth is tested.',
    "Use a newer release of the host's system.",
  ),
  'programs-there': ok('qemu-img and QEMU are there.'),
  'programs-missing': failed(
    '{{missing}} is not installed on the host.',
    'Install qemu-utils and qemu-system-x86 (Debian, Ubuntu), or qemu-img and qemu-kvm (RHEL).',
  ),
  'virt-kvm': ok('A test guest ran well under KVM.'),
  'virt-wanted': ok('Guests are emulated, as it is set.'),
  'virt-emulated': warning(
    'Guests are emulated in software, which is slow: {{reason}}',
    "Switch virtualisation on in the host's firmware, or nested virtualisation where it is a guest itself.",
  ),
  'virt-no-kvm': failed(
    'Guests are set to run under KVM, which the host does not have: {{reason}}',
    'Switch virtualisation on in the host\'s firmware, or run "berth hypervisor set {{name}} --virt-type auto".',
  ),
  'networks-there': ok('What the machines are connected to is there and active.'),
  'networks-senders': ok(
    'Guests on {{names}} may send from addresses of other networks; Berth does not believe ' +
      'them, and the host need not either: set net.ipv4.conf.all.rp_filter to 1 with sysctl.',
  ),
  'networks-none': ok('No machine here needs a network.'),
  'networks-twins': warning(
    '{{count}} domains have a MAC address that another one on the host has too: {{names}}.',
    'Both lose their connections. Give one of them another with "virsh edit", or with "berth ' +
      'machine delete" and "create".',
  ),
  'network-missing': failed(
    'Machines here need the network {{network}}, which libvirt does not know.',
    'Define it on the host with "virsh net-define".',
  ),
  'network-inactive': failed(
    'The network {{network}} is not active; its machines do not start.',
    'Run "virsh net-start {{network}}" on the host.',
  ),
  'network-no-autostart': warning(
    'The network {{network}} is active, but will not be after a restart of the host.',
    'Run "virsh net-autostart {{network}}" on the host.',
  ),
  'bridge-missing': failed(
    'Machines here need the bridge {{bridge}}, which the host does not have.',
    "Make it in the host's network settings.",
  ),
  'bridge-down': failed(
    'The bridge {{bridge}} is down.',
    'Run "ip link set {{bridge}} up" on the host.',
  ),
  'directory-good': ok('{{path}} can be used.'),
  'directory-unusable': failed(
    '{{path}} cannot be used: {{reason}}.',
    'Make it, or mount what belongs there, and set the right place with "berth hypervisor set".',
  ),
  'directory-read-only': failed(
    'Nothing can be written to {{path}}.',
    'Look whether its file system was mounted read-only after an error, or is full.',
  ),
  'directory-no-marks': failed(
    'The file system of {{path}} keeps no extended attributes, by which Berth knows its own files.',
    'Put the directory on ext4, XFS, btrfs or NFS 4.2: until then nothing is created there.',
  ),
  'directory-closed': failed(
    'QEMU cannot pass through {{place}}.',
    'Run "chmod o+x {{place}}" on the host.',
  ),
  'directory-open': warning(
    'Others may write to {{path}} (mode {{mode}}).',
    'Run "chgrp {{group}} {{path}}" and "chmod 710 {{path}}" on the host.',
  ),
  'directory-entered': warning(
    'Every account of the host may enter {{path}} (mode {{mode}}).',
    'Run "chgrp {{group}} {{path}}" and "chmod 710 {{path}}" on the host, unless others use it, too.',
  ),
  'directory-owner': warning(
    '{{path}} belongs to {{owner}}, not to root.',
    'Run "chown root: {{path}}" on the host.',
  ),
  'directory-full': failed(
    '{{path}} has {{free}} free, {{percent}} %.',
    'Free some space, or give it a larger file system, before machines stop on a full disk.',
  ),
  'directory-filling': warning(
    '{{path}} has {{free}} free, {{percent}} %.',
    'Free some space, or give it a larger file system, before it is full.',
  ),
  'directory-inodes': warning(
    'The file system of {{path}} has {{count}} inodes left: it will refuse new files.',
    'Remove small files there, or make the file system with more inodes.',
  ),
  'certificate-good': ok("The certificate of the displays is this broker's."),
  'certificate-missing': failed(
    'The host has no certificate for its displays, so none can be opened.',
    'It gets one when its connection comes up: look at the state of the hypervisor.',
  ),
  'certificate-foreign': failed(
    "The certificate of the displays is from another CA than this broker's.",
    'Another broker may use this host; this one replaces the certificate when its connection comes up again.',
  ),
  'certificate-ended': failed(
    'The certificate of the displays ended on {{date}}.',
    'Remove /etc/pki/libvirt-spice/server-cert.pem on the host; it gets a new one when its connection comes up again.',
  ),
  'certificate-ends': warning(
    'The certificate of the displays ends in {{days}} days.',
    'Remove /etc/pki/libvirt-spice/server-cert.pem on the host; it gets a new one when its connection comes up again.',
  ),
  'certificate-other-name': failed(
    'The certificate of the displays is not for {{address}}.',
    'Run "berth hypervisor set {{name}} --display-address {{address}}": the host then gets a new one.',
  ),
  'certificate-key': failed(
    "The private key of the displays' certificate is missing, or is another one's.",
    'Remove /etc/pki/libvirt-spice/server-*.pem on the host; it gets new ones when its connection comes up again.',
  ),
  'certificate-open-key': warning(
    "Others may read the private key of the displays' certificate (mode {{mode}}).",
    'Run "chmod 640 /etc/pki/libvirt-spice/server-key.pem" on the host.',
  ),
  'display-own': ok("Viewers are sent to {{address}}, which is the host's own."),
  'display-elsewhere': warning(
    "Viewers are sent to {{address}}, which is none of the host's addresses ({{found}}).",
    'That is right behind a translation of addresses, and displays then listen on all ' +
      'addresses of the host; otherwise set --display-address.',
  ),
  'display-listen': failed(
    "Displays are to listen on {{address}}, which is none of the host's addresses ({{found}}): no machine starts.",
    'Run "berth hypervisor set" with --listen-address auto, or with an address of the host.',
  ),
  'display-unknown': failed(
    "Viewers are sent to the name {{address}}, which is not known to the broker's machine.",
    'Correct the name in the DNS, or set --display-address.',
  ),
  'display-loopback': warning(
    'Viewers are sent to {{address}}, which every device takes for itself.',
    'Set --display-address to what thin clients can reach.',
  ),
  'domains-known': ok('Every domain of Berth is known, and every machine has its domain.'),
  'domains-left': warning(
    '{{count}} domains are from Berth, but no machine of this broker: {{names}}.',
    'They may be another broker\'s. If not, "virsh undefine" them, or take them over with "berth machine adopt".',
  ),
  'domains-missing': warning(
    '{{count}} machines have no domain on the host: {{names}}.',
    'Run "berth populate" for their initial, or delete the machines.',
  ),
  'definitions-same': ok('The domains are as Berth defined them.'),
  'definitions-differ': warning(
    '{{count}} domains are not as Berth defined them: {{names}}.',
    'Changes made on the host are lost when Berth defines them again; what should stay ' +
      "belongs in the machine's settings.",
  ),
  'files-used': ok('Every file is used.'),
  'files-left': warning(
    "{{count}} files ({{size}}) are nobody's: {{names}}.",
    'Look at them on the host and delete what is not needed.',
  ),
  'not-reached': {
    result: 'skipped',
    sentence: 'Not looked at: the broker did not get in.',
    advice: '',
  },
  'not-up': {
    result: 'skipped',
    sentence: 'Not looked at: libvirt does not answer to the broker.',
    advice: '',
  },
  'cannot-look': failed(
    'It could not be looked at: {{reason}}',
    "Try again; if it stays so, the broker's log says more.",
  ),
} as const satisfies Readonly<Record<string, Meaning>>
export type FindingCode = keyof typeof FINDINGS

export const Finding = strictObject(
  {
    result: oneOf(FINDING_RESULTS, { description: 'The gravest of what is said; ok: all is well' }),
    measured: Type.String({ description: 'What was seen, such as "14 ms"; may be empty' }),
    says: Type.Array(
      strictObject({
        code: Type.String({ description: 'One of a closed list' }),
        values: Type.Record(Type.String(), Type.String(), {
          description: 'What stands in the sentence',
        }),
        sentence: Type.String(),
        advice: Type.String({ description: 'What to do; empty when there is nothing to do' }),
      }),
    ),
  },
  {
    description:
      'What a check of a hypervisor found; only targets of jobs of the kind check have one',
  },
)
export type Finding = Static<typeof Finding>
export const CheckStarted = strictObject({
  job: Type.String({
    description: 'Its targets are the checks; the one that runs already, where there is one',
  }),
})
export type CheckStarted = Static<typeof CheckStarted>
