import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { BrokerError } from '../errors.js'
import { METADATA_URI, parseDomainXml } from './domain-xml.js'
import type { Contact, ContactStage, Visited } from './contact.js'
import { errorOf, type BatchItem, type RequestOptions } from './helper-channel.js'
import type { DomainState, HostFacts, LinkEvents, LinkSettings, LinkStatus } from './hypervisor.js'
import type { ManagedLink } from './service.js'
import { type Looks, looksOf } from './simulated-looks.js'

/** A PNG. */
const ONE_PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='

/** `boots`: how often it was started. */
interface SimulatedDomain {
  uuid: string
  running: boolean
  boots: number
  disk: string | null
  destroyOnReboot: boolean
  ticket: string | null
  xml: string
}
type Args = Readonly<Record<string, unknown>>
type Op = (host: SimulatedHost, args: Args) => unknown

const GIB = 1_073_741_824
const CHECKSUM = createHash('sha256').update('simulated').digest('hex')

/**
 * A host in memory: it keeps domains, images and overlays, answers like the helper and libvirt, and can be told to fail. For thousands of machines and
 * for seeds of randomness; it passes the same contract tests as a real host. It knows nothing of bytes, guests, sockets or time zones.
 */
export class SimulatedHost {
  readonly domains = new Map<string, SimulatedDomain>()
  /** File name to the name of its base, or null. */
  readonly images = new Map<string, string | null>()
  readonly overlays = new Map<string, string | null>()
  readonly journal = new Map<string, unknown>()
  /** The highest number of a broker that was here; a lower one is refused. */
  fence = 0
  readonly viewers = new Map<string, string[]>()
  /** Called before each call; a fault it throws is the call's. */
  onCall: (call: string) => void = () => {}
  /** Called after the effect of each call and before its answer; a fault it throws loses the answer. */
  onAnswer: (call: string) => void = () => {}
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
  link: SimulatedLink | undefined

  constructor(readonly name: string) {}

  /** Where its displays listen. */
  listen = '0.0.0.0'

  /** Whose viewers are connected from now on. */
  seat(domain: string, addresses: readonly string[]): void {
    if (addresses.length === 0) this.viewers.delete(domain)
    else this.viewers.set(domain, [...addresses])
    this.link?.deps.events.onEvent({ event: 'domain', name: domain, kind: 'graphics' })
  }

  /** What the host pushes. */
  push(domain: string, detail: string): void {
    this.link?.deps.events.onEvent({ event: 'domain', name: domain, kind: 'lifecycle', detail })
  }
}

const OPS: Readonly<Record<string, Op>> = {
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
  image_create: (host, { name }) => {
    host.images.set(String(name), host.images.get(String(name)) ?? null)
  },
  image_import: (host, { name }) => {
    host.images.set(String(name), null)
    return { virtual_size: GIB, bytes: 1_000 }
  },
  image_copy: (host, { name }) => {
    if (host.images.has(String(name))) throw refusal('exists', `${String(name)} exists`)
    host.images.set(String(name), null)
    return { bytes: 1_000, virtual_size: GIB, sha256: CHECKSUM, method: 'convert' }
  },
  image_remove: (host, { dir, names }) => ({
    items: (names as string[]).map((name) =>
      removeImage(host, dir === 'overlays' ? host.overlays : host.images, name),
    ),
  }),
  overlay_create: (host, { items }) => ({
    items: (items as Array<{ name: string; base: string; fresh: boolean }>).map((item) =>
      makeOverlay(host, item),
    ),
  }),
  overlay_list: (host) => ({ items: [...host.overlays].map(([name, base]) => ({ name, base })) }),
  parts_remove: () => ({ removed: [] }),
  transient_clear: () => ({ removed: false }),
  domain_undefine: (host, { name }) => {
    if (host.domains.get(String(name))?.running)
      throw refusal('in_use', `${String(name)} is running`)
    host.domains.delete(String(name))
  },
  domain_reboot: (host, { name }) => {
    restart(host, String(name))
  },
  domain_reset: (host, { name }) => {
    restart(host, String(name))
  },
  domain_metadata: (host, { name, xml }) => {
    const found = host.domains.get(String(name))
    if (!found) throw refusal('not_found', `there is no domain ${String(name)}`)
    found.xml = withMetadata(found.xml, String(xml))
  },
  ticket: (host, { domain, password, connected }) => {
    const found = host.domains.get(String(domain))
    if (!found?.running) throw refusal('not_found', `${String(domain)} is not running`)
    found.ticket = String(password)
    if (connected === 'disconnect') host.seat(String(domain), [])
    return { tls_port: 5901, listen: host.listen, valid_until_ms: Date.now() + 30_000 }
  },
  disconnect: (host, { domain }) => {
    if (!host.domains.get(String(domain))?.running)
      throw refusal('not_found', `${String(domain)} is not running`)
    host.seat(String(domain), [])
  },
  guest_addresses: (host, { domain }) => {
    if (!host.domains.get(String(domain))?.running)
      throw refusal('not_found', `${String(domain)} is not running`)
    return {
      items: (host.addresses.get(String(domain)) ?? []).map((address) => ({
        address,
        source: 'lease',
      })),
    }
  },
  display_picture: (host, { domain }) => {
    if (!host.domains.get(String(domain))?.running)
      throw refusal('not_found', `${String(domain)} is not running`)
    return { png: ONE_PIXEL }
  },
  displays: (host, { domains }) => ({
    items: (domains as string[])
      .filter((name) => host.domains.get(name)?.running)
      .map((name) => ({
        name,
        spice: (host.viewers.get(name) ?? []).map((address) => ({ address })),
        vnc: [],
      })),
  }),
}

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
    for (const until = Date.now() + withinMs; this.#status.state !== 'up'; await delay(10))
      if (Date.now() > until) throw this.#away()
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
          throw refusal(
            'fenced',
            `This host already follows a newer broker (fence ${this.host.fence}, this request has ${fence}).`,
          )
        this.host.fence = fence
        const known =
          options.operation === undefined ? undefined : this.host.journal.get(options.operation)
        if (known !== undefined) return known as T
        const act = OPS[op]
        if (!act) throw refusal('bad_request', `the operation ${op} is unknown`)
        const result = (act(this.host, args as Args) ?? {}) as T
        if (options.operation !== undefined) this.host.journal.set(options.operation, result)
        return result
      },
      options.signal,
    )
  }

  async openConnection(host: string, port: number): Promise<Duplex> {
    return await this.#call('connect', () => {
      const found = this.host.onConnection(host, port)
      if (!found)
        throw new BrokerError(
          'connection_refused',
          `Nothing answers at ${host} port ${port}, as seen from the hypervisor.`,
        )
      return found
    })
  }

  async openDisplay(domain: string): Promise<Duplex> {
    return await this.#call('display_open', () => {
      if (!this.host.domains.get(domain)?.running)
        throw refusal('not_found', `${domain} is not running`)
      const found = this.host.onDisplay(domain)
      if (!found) throw refusal('libvirt', `${domain} has no VNC display on a socket of its own`)
      return found
    })
  }

  async openStream(): Promise<Duplex> {
    throw new BrokerError('hypervisor_refused', 'A simulated host carries no images.')
  }

  async listDomains(): Promise<DomainState[]> {
    return await this.#call('list', () =>
      [...this.host.domains].map(([name, { uuid, running }]) => ({
        name,
        uuid,
        power: running ? ('running' as const) : ('off' as const),
      })),
    )
  }

  async defineDomain(xml: string): Promise<void> {
    const { name, uuid, disk, destroyOnReboot } = parseDomainXml(xml)
    await this.#call('define', () => {
      const known = this.host.domains.get(name)
      if (known && known.uuid !== uuid)
        throw new BrokerError(
          'hypervisor_refused',
          `domain '${name}' already exists with uuid ${known.uuid}`,
        )
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

  async startDomain(name: string): Promise<void> {
    await this.#change(
      'start',
      name,
      (domain) => {
        if (domain.running)
          throw new BrokerError(
            'hypervisor_refused',
            'Requested operation is not valid: domain is already running',
          )
        domain.running = true
        domain.boots += 1
      },
      'Started Booted',
    )
  }

  async shutdownDomain(name: string): Promise<void> {
    await this.#off('shutdown', name, 'Stopped Shutdown')
  }
  async destroyDomain(name: string): Promise<void> {
    await this.#off('destroy', name, 'Stopped Destroyed')
  }
  async resumeDomain(name: string): Promise<void> {
    await this.#change('resume', name, () => {}, 'Resumed Unpaused')
  }
  async domainXml(name: string): Promise<string> {
    return await this.#call('xml', () => this.#domain(name).xml)
  }
  async close(): Promise<void> {
    this.#status = { ...this.#status, state: 'unreachable' }
  }

  /** Whoever is connected is cut off with the power. */
  async #off(call: string, name: string, event: string): Promise<void> {
    await this.#change(
      call,
      name,
      (domain) => {
        domain.running = false
        this.host.viewers.delete(name)
      },
      event,
    )
  }

  async #change(
    call: string,
    name: string,
    change: (domain: SimulatedDomain) => void,
    event: string,
  ): Promise<void> {
    await this.#call(call, () => {
      change(this.#domain(name))
    })
    this.host.push(name, event)
  }

  #domain(name: string): SimulatedDomain {
    const domain = this.host.domains.get(name)
    if (!domain)
      throw new BrokerError(
        'hypervisor_refused',
        `Domain not found: no domain with matching name '${name}'`,
      )
    return domain
  }

  async #call<T>(call: string, act: () => T, signal?: AbortSignal): Promise<T> {
    if (this.#status.state !== 'up') throw this.#away()
    if (signal?.aborted) throw new BrokerError('cancelled', 'The operation was cancelled.')
    this.host.onCall(call)
    const result = act()
    if (this.host.latencyMs > 0) await delay(this.host.latencyMs)
    this.host.onAnswer(call)
    return result
  }

  #away(): BrokerError {
    return new BrokerError(
      'hypervisor_unreachable',
      `${this.name} is not reachable: ${this.#status.reason}`,
    )
  }
}

function refusal(code: string, message: string): BrokerError {
  return errorOf('simulated', { code, message })
}

function removeImage(
  host: SimulatedHost,
  files: Map<string, string | null>,
  name: string,
): BatchItem {
  const used = files === host.images && [...host.overlays.values()].includes(name)
  if (used) return { name, ok: false, error: { code: 'in_use', message: `${name} has overlays` } }
  files.delete(name)
  return { name, ok: true }
}

function makeOverlay(
  host: SimulatedHost,
  { name, base, fresh }: { name: string; base: string; fresh: boolean },
): BatchItem {
  if (host.domains.get(name.replace(/\.qcow2$/, ''))?.running)
    return {
      name,
      ok: false,
      error: { code: 'in_use', message: `a running machine has ${name} open` },
    }
  if (!host.images.has(base))
    return { name, ok: false, error: { code: 'not_found', message: `there is no image ${base}` } }
  if (fresh || host.overlays.get(name) !== base) host.overlays.set(name, base)
  return { name, ok: true }
}

/** As libvirt puts an element into the metadata of a domain: with the prefix and the name space it was given. */
function withMetadata(xml: string, element: string): string {
  const prefixed = element.replace('<berth', `<berth:berth xmlns:berth="${METADATA_URI}"`)
  return xml.replace(/<berth:berth[^>]*\/>/, () => prefixed)
}

function restart(host: SimulatedHost, name: string): void {
  const domain = host.domains.get(name)
  if (!domain?.running) throw refusal('not_found', `${name} is not running`)
  if (domain.destroyOnReboot) domain.running = false
}

function factsOf(name: string, settings: LinkSettings | undefined): HostFacts {
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
