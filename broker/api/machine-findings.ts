import { failed, type Meaning, ok, warning } from './finding-meaning.js'

/** Of what the machines of a host need there, and of the machines themselves. */
export const MACHINE_FINDINGS = {
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
} as const satisfies Readonly<Record<string, Meaning>>
