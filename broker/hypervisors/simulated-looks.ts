import type { LinkSettings } from './hypervisor.js'
import type { Looks, SimulatedHost } from './simulated.js'

const GIB = 1_073_741_824

const SSHD = {
  maxsessions: '10',
  maxstartups: '10:30:100',
  allowtcpforwarding: 'yes',
  allowstreamlocalforwarding: 'yes',
  disableforwarding: 'no',
  pubkeyauthentication: 'yes',
}

/** What a simulated host in good order shows to those who check it. */
export function looksOf(host: SimulatedHost, settings: LinkSettings | undefined): Looks {
  const { images, overlays, transient } = settings?.directories ?? {}
  const listed = (files: ReadonlyMap<string, unknown>): object[] =>
    [...files.keys()].map((name) => ({ name, bytes: 196_608 }))
  return {
    clock: { clock_ms: Date.now() },
    sshd: { settings: SSHD },
    libvirt: { libvirt: '9.0.0', qemu: '7.2.0' },
    programs: { qemu_img: 'qemu-img version 7.2.0', qemu: 'QEMU emulator version 7.2.0' },
    networks: {
      networks: [{ name: 'default', active: true, autostart: true }],
      bridges: [{ name: 'virbr0', up: true }],
    },
    addresses: { addresses: settings === undefined ? [] : [settings.address] },
    account: {
      groups: ['libvirt'],
      rule_is_ours: true,
      rule_mode: '440 0:0',
      commands: ['(root) NOPASSWD: /usr/local/libexec/berth/berth-helper ""'],
      keys: [{ restricted: true, forced: true }],
    },
    certificate_key: {
      present: host.certificate.certificate !== null,
      matches: true,
      mode: '640',
      group: 'libvirt-qemu',
    },
    directories: {
      images: directory(images),
      overlays: directory(overlays),
      transient: directory(transient),
    },
    files: { images: listed(host.images), overlays: listed(host.overlays), transient: [] },
  }
}

function directory(path = '/'): object {
  return {
    path,
    fault: null,
    owner: 'root',
    mode: '710',
    qemu_group: 'libvirt-qemu',
    device: 1,
    free_bytes: 500 * GIB,
    total_bytes: 1_000 * GIB,
    free_inodes: 1_000_000,
    total_inodes: 1_000_000,
    writable: true,
    reflink: false,
    keeps_marks: true,
    closed_by: null,
  }
}
