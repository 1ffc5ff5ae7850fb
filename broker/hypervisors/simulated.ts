import type { Duplex } from 'node:stream'
import type { ContactStage } from './contact.js'
import type { HypervisorLink, LinkEvents, LinkSettings } from './hypervisor.js'

/** `boots`: how often it was started. */
export interface SimulatedDomain {
  uuid: string
  running: boolean
  boots: number
  disk: string | null
  destroyOnReboot: boolean
  ticket: string | null
  xml: string
}

export type Directory = 'images' | 'overlays'

/** As the helper marks its files (hypervisor-scripts/helper/ownership.py). */
export interface Mark {
  readonly owner: string
  readonly operation: string | undefined
  readonly result: unknown
}

/** The line to it. */
export interface LineToHost extends HypervisorLink {
  readonly deps: { readonly settings: () => LinkSettings; readonly events: LinkEvents }
  setUp(up: boolean): void
}

/** The answers of the helper's `host_look`, by what is looked at. */
export interface Looks {
  readonly clock: unknown
  readonly sshd: unknown
  readonly libvirt: unknown
  readonly programs: unknown
  readonly networks: unknown
  readonly addresses: unknown
  readonly account: unknown
  readonly certificate_key: unknown
  readonly directories: unknown
  readonly files: unknown
}

/**
 * A host in memory: it keeps domains, images and overlays, answers like the helper and libvirt, and
 * can be told to fail. For thousands of machines and for seeds of randomness; it passes the same
 * contract tests as a real host. It knows nothing of bytes, guests, sockets or time zones.
 */
export class SimulatedHost {
  readonly domains = new Map<string, SimulatedDomain>()
  /** File name to the name of its base, or null. */
  readonly images = new Map<string, string | null>()
  readonly overlays = new Map<string, string | null>()
  /** By directory/name: for whom Berth made a file, and by which operation. What has no mark is somebody else's. */
  readonly marks = new Map<string, Mark>()
  readonly journal = new Map<string, unknown>()
  /** The highest number of a broker that was here; a lower one is refused. */
  fence = 0
  readonly viewers = new Map<string, string[]>()
  /** Running domains that are paused. */
  readonly paused = new Set<string>()
  /** Domains whose QEMU does not answer its monitor. */
  readonly hung = new Set<string>()
  /** Called before each call; a fault it throws is the call's. */
  onCall: (call: string) => void = () => {}
  /** Called after the effect of each call and before its answer; a fault it throws loses the answer. */
  onAnswer: (call: string) => void = () => {}
  /** As `onAnswer`; the answer waits for it. */
  holdAnswer: (call: string) => Promise<void> = async () => {}
  /** What a connection from the host to an address and port finds; by default nobody listens. */
  onConnection: (host: string, port: number) => Duplex | null = () => null
  /** What opening the VNC display of a running domain finds; by default it has none. */
  onDisplay: (domain: string) => Duplex | null = () => null
  /** Addresses of guests by domain, for port forwarding. */
  readonly addresses = new Map<string, string[]>()
  latencyMs = 0
  /** What checks see here, where it is not what a host in good order shows. */
  looks: Partial<Looks> = {}
  /** Where a new connection ends, and why; by default it ends at the port while the line is cut. */
  barrier: {
    readonly stage: ContactStage | 'login'
    readonly fault: string
    readonly reason: string
  } | null = null
  certificate: { readonly certificate: string | null; readonly ca: string | null } = {
    certificate: null,
    ca: null,
  }
  link: LineToHost | undefined

  constructor(readonly name: string) {}

  /** Where its displays listen. */
  listen = '0.0.0.0'

  /** Whose viewers are connected from now on. */
  seat(domain: string, addresses: readonly string[]): void {
    if (addresses.length === 0) this.viewers.delete(domain)
    else this.viewers.set(domain, [...addresses])
    this.link?.deps.events.onEvent({ event: 'domain', name: domain, kind: 'graphics' })
  }

  /** A guest goes off by nothing that Berth did: QEMU's word for it, if it says one, and libvirt's. */
  end(domain: string, qemuSays: string | null, libvirtSays: string): void {
    const found = this.domains.get(domain)
    if (found) found.running = false
    this.viewers.delete(domain)
    if (qemuSays !== null)
      this.link?.deps.events.onEvent({
        event: 'domain',
        name: domain,
        kind: 'shutdown',
        detail: qemuSays,
      })
    this.push(domain, libvirtSays)
  }

  /** What the host pushes. */
  push(domain: string, detail: string): void {
    this.link?.deps.events.onEvent({ event: 'domain', name: domain, kind: 'lifecycle', detail })
  }
}
