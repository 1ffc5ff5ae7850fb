import { failed, type Meaning, ok, warning } from './finding-meaning.js'

/** Of the way to the host, its account, and what is installed on it. */
export const HOST_FINDINGS = {
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
} as const satisfies Readonly<Record<string, Meaning>>
