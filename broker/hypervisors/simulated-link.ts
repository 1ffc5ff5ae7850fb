import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import type { Contact, ContactStage, Visited } from './contact.js'
import { parseDomainXml } from './domain-xml.js'
import type { RequestOptions } from './helper-channel.js'
import type {
  DomainId,
  DomainState,
  LinkEvents,
  LinkSettings,
  LinkStatus,
  ManagedLink,
} from './hypervisor.js'
import type { SimulatedDomain, SimulatedHost } from './simulated.js'
import { identified, noDomain, powerOf, helperRefusal } from './simulated-domains.js'
import { type Args, factsOf, OPS } from './simulated-operations.js'

/** The line to a simulated host. */
export class SimulatedLink implements ManagedLink {
  #status: LinkStatus = { state: 'connecting', reason: '', sinceMs: Date.now(), facts: null }

  constructor(
    readonly host: SimulatedHost,
    readonly deps: { settings: () => LinkSettings; events: LinkEvents },
  ) {
    host.link = this
    setImmediate(() => {
      this.setUp(true)
    })
  }

  get name(): string {
    return this.host.name
  }
  status(): LinkStatus {
    return this.#status
  }
  reconnect(): void {
    this.setUp(true)
  }

  /** Cuts the line or brings it back. */
  setUp(up: boolean): void {
    this.#status = up
      ? {
          state: 'up',
          reason: '',
          sinceMs: Date.now(),
          facts: factsOf(this.name, this.deps.settings()),
        }
      : { ...this.#status, state: 'unreachable', reason: 'The line was cut.', sinceMs: Date.now() }
    this.deps.events.onStatus(this.#status)
  }

  async untilUp(withinMs: number): Promise<void> {
    for (const until = performance.now() + withinMs; this.#status.state !== 'up'; await delay(10))
      if (performance.now() > until) throw this.#away()
  }

  async contact(stage: ContactStage): Promise<Contact> {
    const barrier = this.#barrier()
    if (barrier?.stage === stage) return { fault: barrier.fault, reason: barrier.reason } as Contact
    const { address, hostKeyFingerprint } = this.deps.settings()
    return { seen: { name: address, port: '0 ms', 'host-key': hostKeyFingerprint }[stage] }
  }

  async visit(): Promise<Visited> {
    const barrier = this.#barrier()
    if (barrier)
      return { fault: barrier.stage === 'login' ? 'refused' : 'failed', reason: barrier.reason }
    return {
      helperVersion: 'simulated',
      request: async (op, args) => await this.request(op, args),
      close: () => {},
    }
  }

  #barrier(): SimulatedHost['barrier'] {
    return (
      this.host.barrier ??
      (this.#status.state === 'up'
        ? null
        : { stage: 'port', fault: 'silent', reason: this.#status.reason })
    )
  }

  async request<T>(op: string, args: object, options: RequestOptions = {}): Promise<T> {
    return await this.#call(
      op,
      () => {
        const { fence = this.host.fence } = options
        if (fence < this.host.fence)
          throw helperRefusal(
            'fenced',
            `This host already follows a newer broker (fence ${this.host.fence}, this request has ${fence}).`,
          )
        this.host.fence = fence
        const known =
          options.operation === undefined ? undefined : this.host.journal.get(options.operation)
        if (known !== undefined) return known as T
        const act = OPS[op]
        if (!act) throw helperRefusal('bad_request', `the operation ${op} is unknown`)
        const result = (act(this.host, args as Args, options.operation) ?? {}) as T
        if (options.operation !== undefined) this.host.journal.set(options.operation, result)
        return result
      },
      options.signal,
    )
  }

  async openConnection(host: string, port: number): Promise<Duplex> {
    return await this.#call('connect', () => {
      const found = this.host.onConnection(host, port)
      if (!found) throw refusal('port_refused', { place: `${host} port ${port}` })
      return found
    })
  }

  async openDisplay(domain: string): Promise<Duplex> {
    return await this.#call('display_open', () => {
      if (!this.host.domains.get(domain)?.running)
        throw helperRefusal('not_found', `${domain} is not running`)
      const found = this.host.onDisplay(domain)
      if (!found)
        throw helperRefusal('libvirt', `${domain} has no VNC display on a socket of its own`)
      return found
    })
  }

  async openStream(): Promise<Duplex> {
    throw refusal('simulated_without_images')
  }

  async listDomains(): Promise<DomainState[]> {
    return await this.#call('list', () =>
      [...this.host.domains].map(([name, { uuid, running }]) => ({
        name,
        uuid,
        power: running ? powerOf(this.host, name) : ('off' as const),
      })),
    )
  }

  async defineDomain(xml: string): Promise<void> {
    const { name, uuid, disk, destroyOnReboot } = parseDomainXml(xml)
    await this.#call('define', () => {
      const known = this.host.domains.get(name)
      identified(this.host, name, uuid)
      this.host.domains.set(name, {
        uuid,
        disk,
        destroyOnReboot,
        running: known?.running ?? false,
        boots: known?.boots ?? 0,
        ticket: null,
        xml,
      })
    })
  }

  async startDomain(domain: DomainId): Promise<void> {
    await this.#change(
      'start',
      domain,
      (domain) => {
        if (domain.running)
          throw refusal('simulated_refusal', {
            said: 'Requested operation is not valid: domain is already running',
          })
        domain.running = true
        domain.boots += 1
      },
      'Started Booted',
    )
  }

  async shutdownDomain(domain: DomainId): Promise<void> {
    await this.#off('shutdown', domain, 'Stopped Shutdown')
  }
  async destroyDomain(domain: DomainId): Promise<void> {
    await this.#off('destroy', domain, 'Stopped Destroyed')
  }
  async resumeDomain(domain: DomainId): Promise<void> {
    await this.#change('resume', domain, () => {}, 'Resumed Unpaused')
  }
  async domainXml(name: string): Promise<string> {
    return await this.#call('xml', () => {
      const domain = this.host.domains.get(name)
      if (!domain) throw noDomain(name)
      return domain.xml
    })
  }
  async definition({ name, uuid }: DomainId): Promise<string | null> {
    return await this.#call('xml', () => {
      identified(this.host, name, uuid)
      return this.host.domains.get(name)?.xml ?? null
    })
  }
  async close(): Promise<void> {
    this.#status = { ...this.#status, state: 'unreachable' }
  }

  /** Whoever is connected is cut off with the power. */
  async #off(call: string, { name, uuid }: DomainId, event: string): Promise<void> {
    await this.#change(
      call,
      { name, uuid },
      (domain) => {
        domain.running = false
        this.host.viewers.delete(name)
      },
      event,
    )
  }

  async #change(
    call: string,
    { name, uuid }: DomainId,
    change: (domain: SimulatedDomain) => void,
    event: string,
  ): Promise<void> {
    await this.#call(call, () => {
      const domain = identified(this.host, name, uuid)
      if (!domain) throw noDomain(name)
      change(domain)
    })
    this.host.push(name, event)
  }

  async #call<T>(call: string, act: () => T, signal?: AbortSignal): Promise<T> {
    if (this.#status.state !== 'up') throw this.#away()
    if (signal?.aborted) throw refusal('operation_cancelled')
    this.host.onCall(call)
    const result = act()
    if (this.host.latencyMs > 0) await delay(this.host.latencyMs)
    await this.host.holdAnswer(call)
    this.host.onAnswer(call)
    return result
  }

  #away(): BrokerError {
    return refusal('hypervisor_away', { hypervisor: this.name, why: this.#status.reason })
  }
}
