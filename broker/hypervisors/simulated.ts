import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { BrokerError } from '../errors.js'
import { METADATA_URI, parseDomainXml } from './domain-xml.js'
import type { Contact, ContactStage, Visited } from './contact.js'
import { errorOf, type BatchItem, type RequestOptions } from './helper-channel.js'
import type {
  DomainId,
  DomainState,
  HostFacts,
  LinkEvents,
  LinkSettings,
  LinkStatus,
} from './hypervisor.js'
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
type Op = (host: SimulatedHost, args: Args, operation: string | undefined) => unknown
type Directory = 'images' | 'overlays'

/** As the helper marks its files (hypervisor-scripts/helper/ownership.py). */
interface Mark {
  readonly owner: string
  readonly operation: string | undefined
  readonly result: unknown
}

const GIB = 1_073_741_824
const CHECKSUM = createHash('sha256').update('simulated').digest('hex')

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
    if (found?.running) throw refusal('in_use', `${String(name)} is running`)
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
    if (!found) throw refusal('not_found', `there is no domain ${String(name)}`)
    found.xml = withMetadata(found.xml, String(xml))
  },
  ticket: (host, { domain, uuid, password, connected, reachable }) => {
    const found = identified(host, domain, uuid)
    if (!found?.running) throw refusal('not_found', `${String(domain)} is not running`)
    if (reachable === true && host.listen === '127.0.0.1')
      throw refusal('hidden', `the display of ${String(domain)} listens on the loopback only`)
    found.ticket = String(password)
    if (connected === 'disconnect') host.seat(String(domain), [])
    return { tls_port: 5901, listen: host.listen, valid_until_ms: Date.now() + 30_000 }
  },
  disconnect: (host, { domain, uuid }) => {
    if (!identified(host, domain, uuid)?.running)
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
    if (signal?.aborted) throw new BrokerError('cancelled', 'The operation was cancelled.')
    this.host.onCall(call)
    const result = act()
    if (this.host.latencyMs > 0) await delay(this.host.latencyMs)
    await this.host.holdAnswer(call)
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

function powerOf(host: SimulatedHost, name: string): 'running' | 'paused' {
  return host.paused.has(name) ? 'paused' : 'running'
}

function noDomain(name: string): BrokerError {
  return new BrokerError(
    'hypervisor_refused',
    `Domain not found: no domain with matching name '${name}'`,
  )
}

interface Doomed {
  readonly name: string
  readonly owner: string
  readonly made_by?: string | null
}
interface Old {
  readonly dir: Directory
  readonly name: string
  readonly owner: string
  readonly bases?: readonly string[]
}
interface Wanted {
  readonly name: string
  readonly uuid?: string
  readonly dir?: Directory
  readonly file?: string
  readonly owner?: string
}
interface NewOverlay {
  readonly name: string
  readonly base: string
  readonly fresh: boolean
  readonly owner: string
}

/** The result of one item of a batch: what it refuses is its own. */
function eachItem(name: string, act: () => void): BatchItem {
  try {
    act()
    return { name, ok: true }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    return { name, ok: false, error: error.cause as { code: string; message: string } }
  }
}

/** The domain that is meant, or undefined when it is not there; refuses when name and UUID are not of one domain. */
function identified(
  host: SimulatedHost,
  name: unknown,
  uuid: unknown,
): SimulatedDomain | undefined {
  const [found] = [...host.domains].filter(([, domain]) => domain.uuid === uuid)
  if (found && found[0] !== name)
    throw refusal('foreign', `the domain with the UUID ${String(uuid)} is called ${found[0]}`)
  const named = host.domains.get(String(name))
  if (named && named.uuid !== uuid)
    throw refusal('foreign', `the domain ${String(name)} is another one (UUID ${named.uuid})`)
  return named
}

/** The mark of a file that was made for `owner`, or null when there is no file; refuses any other file. */
function ownOf(host: SimulatedHost, dir: Directory, name: string, owner: string): Mark | null {
  if (!host[dir].has(name)) return null
  const mark = host.marks.get(`${dir}/${name}`)
  if (mark?.owner !== owner)
    throw refusal('foreign', `${dir}/${name} was not made by Berth for this; it is left as it is`)
  return mark
}

function makeImage(host: SimulatedHost, name: string, mark: Mark): unknown {
  const before = ownOf(host, 'images', name, mark.owner)
  if (before !== null) {
    if (before.operation === undefined || before.operation !== mark.operation)
      throw refusal('exists', `${name} exists already`)
    return before.result
  }
  host.images.set(name, null)
  host.marks.set(`images/${name}`, mark)
  return mark.result
}

function removeImage(host: SimulatedHost, dir: Directory, { name, owner, made_by }: Doomed): void {
  const mark = ownOf(host, dir, name, owner)
  if (mark !== null && made_by && mark.operation !== made_by)
    throw refusal('foreign', `${name} was made by another operation`)
  if (dir === 'images' && [...host.overlays.values()].includes(name))
    throw refusal('in_use', `${name} has overlays`)
  host[dir].delete(name)
  host.marks.delete(`${dir}/${name}`)
}

/**
 * It knows nothing of bytes, so that the checksum of an image proves nothing: an overlay is proven
 * by its base, the rest by being there.
 */
function adopt(host: SimulatedHost, { dir, name, owner, bases = [] }: Old): void {
  if (!host[dir].has(name)) throw refusal('not_found', `there is no image ${name}`)
  const base = host[dir].get(name) ?? ''
  if (host.marks.has(`${dir}/${name}`)) ownOf(host, dir, name, owner)
  else if (bases.length > 0 && !bases.includes(base))
    throw refusal('foreign', `${name} is not Berth's`)
  else host.marks.set(`${dir}/${name}`, { owner, operation: undefined, result: {} })
}

function refuseWhatIsThere(
  host: SimulatedHost,
  { name, uuid, dir = 'images', file, owner = '' }: Wanted,
): void {
  if (uuid !== undefined) identified(host, name, uuid)
  if (file !== undefined) ownOf(host, dir, file, owner)
}

function makeOverlay(
  host: SimulatedHost,
  { name, base, fresh, owner }: NewOverlay,
  operation: string | undefined,
): void {
  if (!host.images.has(base)) throw refusal('not_found', `there is no image ${base}`)
  ownOf(host, 'overlays', name, owner)
  const made = host.marks.get(`overlays/${name}`)?.operation
  const isMadeByThis = operation !== undefined && made === operation
  if ((isMadeByThis || !fresh) && host.overlays.get(name) === base) return
  if (host.domains.get(name.replace(/\.qcow2$/, ''))?.running)
    throw refusal('in_use', `a running machine has ${name} open`)
  host.overlays.set(name, base)
  host.marks.set(`overlays/${name}`, { owner, operation, result: {} })
}

/** As libvirt puts an element into the metadata of a domain: with the prefix and the name space it was given. */
function withMetadata(xml: string, element: string): string {
  const prefixed = element.replace('<berth', `<berth:berth xmlns:berth="${METADATA_URI}"`)
  return xml.replace(/<berth:berth[^>]*\/>/, () => prefixed)
}

function restart(domain: SimulatedDomain | undefined, name: string): void {
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
