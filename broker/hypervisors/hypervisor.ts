import type { Duplex } from 'node:stream'
import type { PowerState } from '../api/machines.js'
import type { Contact, ContactStage, Visited } from './contact.js'
import type { HelperEvent } from '../events/map.js'
import type { RequestOptions } from './helper-channel.js'
import type { LinkSettings } from './link-settings.js'

export type { LinkSettings } from './link-settings.js'

/** A domain as libvirt lists it. */
export interface DomainState {
  readonly name: string
  readonly uuid: string
  readonly power: PowerState
}

/** Which domain is meant: the UUID says it, and the name must be that of the same one. */
export interface DomainId {
  readonly name: string
  readonly uuid: string
}

/** What a host says of itself (the helper's `facts`). */
export interface HostFacts {
  readonly hostname: string
  readonly cores: number
  readonly memory_mib: number
  readonly memory_free_mib: number
  /** null while libvirtd does not answer. */
  readonly libvirt_version: string | null
  readonly qemu_version: string | null
  readonly kvm_device: boolean
  readonly helper_version: string
  readonly directories: Readonly<
    Record<
      'images' | 'overlays' | 'transient',
      { path: string; free_bytes: number; total_bytes: number; reflink?: boolean }
    >
  >
}

/** connecting, up or unreachable; `reason` is one sentence, empty when up. */
export interface LinkStatus {
  readonly state: 'connecting' | 'up' | 'unreachable'
  readonly reason: string
  readonly sinceMs: number
  readonly facts: HostFacts | null
}

/**
 * The line to one hypervisor. The real one (`link.ts`) and the simulated one (`simulated.ts`) pass
 * the same contract tests. Every call rejects with a BrokerError: `hypervisor_unreachable` and
 * `timeout` mean that the effect is unknown.
 */
export interface HypervisorLink {
  readonly name: string
  status(): LinkStatus
  /** Ends when the line is up; rejects with `hypervisor_unreachable` and the reason after `withinMs`. */
  untilUp(withinMs: number): Promise<void>
  /** Tries one stage of a new connection, whatever the state of the line. */
  contact(stage: ContactStage): Promise<Contact>
  /** Logs in beside the line, also while that is down; whoever asked closes it. */
  visit(): Promise<Visited>
  /** One operation of the helper (hypervisor-scripts/helper/operations.py). */
  request<T>(op: string, args: object, options?: RequestOptions): Promise<T>
  /** A helper of its own whose stream carries raw bytes after the reply line. */
  openStream(): Promise<Duplex>
  /**
   * A TCP connection made by the host itself, to its loopback or to whatever it reaches. Rejects
   * with `connection_refused` when nobody answers within `withinMs`, `hypervisor_refused` when its
   * sshd forbids forwarding.
   */
  openConnection(host: string, port: number, withinMs: number): Promise<Duplex>
  /**
   * A connection to the VNC display of a running domain: RFB, the server first. Rejects with
   * `not_found` when it is not running, `hypervisor_refused` when it has no display on a socket of
   * its own.
   */
  openDisplay(domain: string): Promise<Duplex>
  listDomains(): Promise<DomainState[]>
  /**
   * What changes a domain rejects with `foreign` when another domain has its name or its UUID, and
   * leaves that one alone.
   */
  defineDomain(xml: string): Promise<void>
  startDomain(domain: DomainId): Promise<void>
  /** Asks the guest by ACPI; returns at once. */
  shutdownDomain(domain: DomainId): Promise<void>
  /** The plug. */
  destroyDomain(domain: DomainId): Promise<void>
  /** Lets a paused domain go on. */
  resumeDomain(domain: DomainId): Promise<void>
  /** As it is defined and starts the next time, without passwords. */
  domainXml(name: string): Promise<string>
  /**
   * The same with everything that defining it again needs; null when there is no such domain,
   * `foreign` when the name is another one's.
   */
  definition(domain: DomainId): Promise<string | null>
  close(): Promise<void>
}

/** What a link tells its owner. */
export interface LinkEvents {
  readonly onStatus: (status: LinkStatus) => void
  readonly onEvent: (event: HelperEvent) => void
}

/** A link that can be told to connect again, with the settings as they are then. */
export type ManagedLink = HypervisorLink & { reconnect(): void }
export type OpenLink = (
  name: string,
  settings: () => LinkSettings,
  events: LinkEvents,
) => ManagedLink
