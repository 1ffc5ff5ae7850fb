import { createHash } from 'node:crypto'
import type { HostFacts, LinkSettings } from './hypervisor.js'
import type { Directory, Looks, SimulatedHost } from './simulated.js'
import { identified, helperRefusal, restart, withMetadata } from './simulated-domains.js'
import {
  adopt,
  type Doomed,
  eachItem,
  makeImage,
  makeOverlay,
  type NewOverlay,
  type Old,
  ownOf,
  refuseWhatIsThere,
  removeImage,
  type Wanted,
} from './simulated-files.js'
import { looksOf } from './simulated-looks.js'

export type Args = Readonly<Record<string, unknown>>
type Op = (host: SimulatedHost, args: Args, operation: string | undefined) => unknown

/** A PNG. */
const ONE_PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='

const GIB = 1_073_741_824
const CHECKSUM = createHash('sha256').update('simulated').digest('hex')

/** What the helper of a simulated host can do. */
export const OPS: Readonly<Record<string, Op>> = {
  ping: () => ({}),
  facts: (host) => factsOf(host.name, host.link?.deps.settings()),
  probe_virt: () => ({ virt_type: 'qemu', reason: 'simulated' }),
  host_look: (host, { look }) => {
    const seen = { ...looksOf(host, host.link?.deps.settings()), ...host.looks }[
      look as keyof Looks
    ]
    if (seen instanceof Error) throw seen
    return seen
  },
  spice_certificate: (host) => host.certificate,
  image_create: (host, { name, owner }, operation) =>
    makeImage(host, String(name), { owner: String(owner), operation, result: {} }),
  image_import: (host, { name, owner, replace }, operation) => {
    const result = { virtual_size: GIB, bytes: 1_000 }
    if (replace === true && ownOf(host, 'images', String(name), String(owner)) !== null)
      host.images.delete(String(name))
    return makeImage(host, String(name), { owner: String(owner), operation, result })
  },
  image_copy: (host, { name, owner }, operation) =>
    makeImage(host, String(name), {
      owner: String(owner),
      operation,
      result: { bytes: 1_000, virtual_size: GIB, sha256: CHECKSUM, method: 'convert' },
    }),
  image_remove: (host, { dir, items }) => ({
    items: (items as Doomed[]).map((item) =>
      eachItem(item.name, () => {
        removeImage(host, dir as Directory, item)
      }),
    ),
  }),
  files_adopt: (host, { items }) => ({
    items: (items as Old[]).map((item) =>
      eachItem(item.name, () => {
        adopt(host, item)
      }),
    ),
  }),
  in_the_way: (host, { items }) => ({
    items: (items as Wanted[]).map((item) =>
      eachItem(item.name, () => {
        refuseWhatIsThere(host, item)
      }),
    ),
  }),
  overlay_create: (host, { items }, operation) => ({
    items: (items as NewOverlay[]).map((item) =>
      eachItem(item.name, () => {
        makeOverlay(host, item, operation)
      }),
    ),
  }),
  overlay_list: (host) => ({ items: [...host.overlays].map(([name, base]) => ({ name, base })) }),
  parts_remove: () => ({ removed: [] }),
  transient_clear: (host, { domain, uuid }) => {
    identified(host, domain, uuid)
    return { removed: false }
  },
  domain_undefine: (host, { name, uuid }) => {
    // what is meant is gone, whoever has its name
    if (![...host.domains.values()].some((domain) => domain.uuid === uuid)) return
    const found = identified(host, name, uuid)
    if (found?.running) throw helperRefusal('in_use', `${String(name)} is running`)
    if (found) host.domains.delete(String(name))
  },
  domain_reboot: (host, { name, uuid }) => {
    restart(identified(host, name, uuid), String(name))
  },
  domain_reset: (host, { name, uuid }) => {
    restart(identified(host, name, uuid), String(name))
  },
  domain_metadata: (host, { name, uuid, xml }) => {
    const found = identified(host, name, uuid)
    if (!found) throw helperRefusal('not_found', `there is no domain ${String(name)}`)
    found.xml = withMetadata(found.xml, String(xml))
  },
  ticket: (host, { domain, uuid, password, connected, reachable }) => {
    const found = identified(host, domain, uuid)
    if (!found?.running) throw helperRefusal('not_found', `${String(domain)} is not running`)
    if (reachable === true && host.listen === '127.0.0.1')
      throw helperRefusal('hidden', `the display of ${String(domain)} listens on the loopback only`)
    found.ticket = String(password)
    if (connected === 'disconnect') host.seat(String(domain), [])
    return { tls_port: 5901, listen: host.listen, valid_until_ms: Date.now() + 30_000 }
  },
  disconnect: (host, { domain, uuid }) => {
    if (!identified(host, domain, uuid)?.running)
      throw helperRefusal('not_found', `${String(domain)} is not running`)
    host.seat(String(domain), [])
  },
  guest_addresses: (host, { domain }) => {
    if (!host.domains.get(String(domain))?.running)
      throw helperRefusal('not_found', `${String(domain)} is not running`)
    return {
      items: (host.addresses.get(String(domain)) ?? []).map((address) => ({
        address,
        source: 'lease',
      })),
    }
  },
  display_picture: (host, { domain }) => {
    if (!host.domains.get(String(domain))?.running)
      throw helperRefusal('not_found', `${String(domain)} is not running`)
    return { png: ONE_PIXEL }
  },
  displays: (host, { domains }) => ({
    items: (domains as string[])
      .filter((name) => host.domains.get(name)?.running)
      .map((name) =>
        host.hung.has(name)
          ? {
              name,
              error: { code: 'timeout', message: `QEMU of ${name} did not answer within 2000 ms.` },
            }
          : {
              name,
              spice: (host.viewers.get(name) ?? []).map((address) => ({ address })),
              vnc: [],
            },
      ),
  }),
}

export function factsOf(name: string, settings: LinkSettings | undefined): HostFacts {
  const place = (path = ''): HostFacts['directories']['images'] => ({
    path,
    free_bytes: 500 * GIB,
    total_bytes: 1_000 * GIB,
  })
  const { images, overlays, transient } = settings?.directories ?? {
    images: '',
    overlays: '',
    transient: '',
  }
  return {
    hostname: name,
    cores: 16,
    memory_mib: 131_072,
    memory_free_mib: 100_000,
    libvirt_version: 'simulated',
    qemu_version: 'simulated',
    kvm_device: false,
    helper_version: 'simulated',
    directories: { images: place(images), overlays: place(overlays), transient: place(transient) },
  }
}
