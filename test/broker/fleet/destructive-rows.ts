import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { domainXml } from '../../../broker/hypervisors/domain-xml.js'
import type { DomainId, HypervisorLink } from '../../../broker/hypervisors/hypervisor.js'
import { uuidOf } from '../../hypervisor-scripts/prepared-host.js'
import { CERTIFICATE, FOLDER, host, MIB } from './destructive-host.js'

/**
 * What an operation is asked about: a machine of Berth's, or one whose name a foreign domain and
 * foreign files have.
 */
export interface Target extends DomainId {
  readonly file: string
  readonly isOurs: boolean
}
export const targetOf = (name: string, isOurs: boolean): Target => ({
  name,
  uuid: uuidOf(isOurs ? name : `ours of ${name}`),
  file: `${name}.qcow2`,
  isOurs,
})

const ask = ({ name, uuid }: Target): object => ({ domain: name, uuid })
const known = ({ name, uuid }: Target): object => ({ name, uuid })
export const overlay = ({ file, uuid: owner }: Target): object => ({
  items: [{ name: file, base: 'base.qcow2', fresh: true, owner }],
})
export const received = Buffer.alloc(3 * MIB, 'received')

export interface Row {
  /** What it needs of Berth's own, made before. */
  readonly needs?: 'domain' | 'running' | 'paused' | 'overlay' | 'image' | 'layer' | 'certificate'
  /** Where the file lies that it makes or removes; foreign ones have its name everywhere else. */
  readonly dir?: 'images' | 'overlays'
  readonly args?: (target: Target) => object
  /**
   * What makes it fail where it writes nothing into a file: libvirtd is killed, or what it would
   * change cannot be changed. Else there is no room.
   */
  readonly fails?: 'libvirtd' | ((target: Target) => string)
  /** Of libvirt itself. */
  readonly libvirt?: (link: HypervisorLink, target: Target) => Promise<void>
}

export const ROWS: Readonly<Record<string, Row>> = {
  define: { libvirt: async (link, target) => await link.defineDomain(xml(target)) },
  start: { needs: 'domain', libvirt: async (link, target) => await link.startDomain(target) },
  shutdown: {
    needs: 'running',
    libvirt: async (link, target) => await link.shutdownDomain(target),
  },
  destroy: { needs: 'running', libvirt: async (link, target) => await link.destroyDomain(target) },
  resume: { needs: 'paused', libvirt: async (link, target) => await link.resumeDomain(target) },
  domain_reboot: { fails: 'libvirtd', needs: 'running', args: known },
  domain_reset: { fails: 'libvirtd', needs: 'running', args: known },
  domain_undefine: { fails: 'libvirtd', needs: 'domain', args: known },
  domain_metadata: {
    fails: 'libvirtd',
    needs: 'domain',
    args: (target) => ({ ...known(target), xml: '<berth/>' }),
  },
  guest_agent: {
    fails: 'libvirtd',
    needs: 'running',
    args: (target) => ({ ...ask(target), command: 'guest-shutdown', timeout_seconds: 1 }),
  },
  ticket: {
    fails: 'libvirtd',
    needs: 'running',
    args: (target) => ({
      ...ask(target),
      password: 'p'.repeat(24),
      ttl_seconds: 5,
      connected: 'disconnect',
    }),
  },
  disconnect: { fails: 'libvirtd', needs: 'running', args: ask },
  transient_clear: {
    fails: 'libvirtd',
    needs: 'layer',
    dir: 'overlays',
    args: (target) => ({ ...ask(target), name: target.file }),
  },
  image_create: {
    dir: 'images',
    args: ({ file, uuid }) => ({ name: file, size_bytes: MIB, owner: uuid }),
  },
  image_copy: {
    dir: 'images',
    args: ({ file, uuid }) => ({
      source: { dir: 'images', name: 'large.qcow2' },
      name: file,
      owner: uuid,
    }),
  },
  image_import: {
    needs: 'image',
    dir: 'images',
    args: ({ file, uuid }) => ({
      path: `${FOLDER}/import/good.qcow2`,
      name: file,
      owner: uuid,
      replace: true,
    }),
  },
  file_receive: {
    dir: 'images',
    args: ({ file, uuid }) => ({
      name: file,
      size: received.length,
      sha256: createHash('sha256').update(received).digest('hex'),
      owner: uuid,
    }),
  },
  overlay_create: { needs: 'overlay', dir: 'overlays', args: overlay },
  image_remove: {
    fails: ({ file }) => `${FOLDER}/overlays/${file}`,
    needs: 'overlay',
    dir: 'overlays',
    args: ({ file, uuid: owner }) => ({ dir: 'overlays', items: [{ name: file, owner }] }),
  },
  parts_remove: {
    fails: () => `${FOLDER}/images/.berth-parts`,
    dir: 'images',
    args: () => ({ keep: [] }),
  },
  files_adopt: {
    fails: ({ file }) => `${FOLDER}/overlays/${file}`,
    needs: 'overlay',
    dir: 'overlays',
    args: ({ file, uuid: owner }) => ({
      items: [{ dir: 'overlays', name: file, owner, bases: ['base.qcow2'], sha256: null }],
    }),
  },
  spice_certificate_request: {
    fails: () => dirname(CERTIFICATE),
    needs: 'certificate',
    args: () => ({ common_name: host.name }),
  },
  spice_certificate_install: {
    fails: () => dirname(CERTIFICATE),
    needs: 'certificate',
    args: () => toInstall.certificate,
  },
}
/** What is to be installed; made when the host is prepared. */
export const toInstall: { certificate: object } = { certificate: {} }

export function xml({ name, uuid }: Target): string {
  return domainXml({
    name,
    uuid,
    virtType: 'qemu',
    memoryMib: 64,
    vcpus: 1,
    firmware: 'bios',
    network: 'none',
    mac: '52:54:00:c0:ff:ee',
    serial: name,
    disk: `${FOLDER}/images/disk-of-${name}.qcow2`,
    transient: false,
    destroyOnReboot: false,
    listen: '127.0.0.1',
    metadata: {},
    template: null,
  })
}
