import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import type { Client } from 'ssh2'
import { BrokerError, sentenceOf } from '../errors.js'
import { type Contact, type ContactStage, tryContact, visit, type Visited } from './contact.js'
import { HelperChannel, type RequestOptions } from './helper-channel.js'
import type {
  DomainState,
  HostFacts,
  HypervisorLink,
  LinkEvents,
  LinkSettings,
  LinkStatus,
} from './hypervisor.js'
import { SocketForward } from './socket-forward.js'
import type { LibvirtProcesses } from './libvirt-processes.js'
import { openForward, openHelper, openSocket, openSsh } from './ssh-connection.js'

export interface LinkDeps {
  readonly settings: () => LinkSettings
  readonly privateKey: string
  readonly processes: LibvirtProcesses
  readonly events: LinkEvents
  readonly log: Logger
}

/** What one connection consists of; all of it ends together. */
interface Line {
  readonly ssh: Client
  readonly helper: HelperChannel
  readonly forward: SocketForward
}

const HELLO_TIMEOUT_MS = 15_000
const FACTS_EVERY_MS = 30_000
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000
const DISPLAY_WITHIN_MS = 10_000
const CALL_TIMEOUT_MS = 15_000
const START_TIMEOUT_MS = 60_000

/** The line to a real hypervisor: one SSH connection, kept up with backoff and jitter until `close`. */
export class SshLink implements HypervisorLink {
  readonly #abort = new AbortController()
  readonly #ended: Promise<void>
  #line: Line | undefined
  #status: LinkStatus = {
    state: 'connecting',
    reason: 'First contact.',
    sinceMs: Date.now(),
    facts: null,
  }
  #wake: (() => void) | undefined

  constructor(
    readonly name: string,
    readonly deps: LinkDeps,
  ) {
    this.#ended = this.#keepUp()
  }

  status(): LinkStatus {
    return this.#status
  }

  /** Tries again now, with the settings as they are now; a line that is up is built anew. */
  reconnect(): void {
    this.#line?.ssh.end()
    this.#wake?.()
  }

  async untilUp(withinMs: number): Promise<void> {
    const until = Date.now() + withinMs
    while (this.#status.state !== 'up') {
      if (Date.now() > until || this.#abort.signal.aborted) throw this.#away()
      await delay(50)
    }
  }

  async contact(stage: ContactStage): Promise<Contact> {
    return await tryContact(stage, this.deps.settings())
  }
  async visit(): Promise<Visited> {
    return await visit(this.deps.settings(), this.deps.privateKey)
  }

  async request<T>(op: string, args: object, options?: RequestOptions): Promise<T> {
    return await this.#up().helper.request<T>(op, args, options)
  }

  async openStream(): Promise<Duplex> {
    return await openHelper(this.#up().ssh)
  }
  async openConnection(host: string, port: number, withinMs: number): Promise<Duplex> {
    return await openForward(this.#up().ssh, { host, port }, withinMs)
  }
  async openDisplay(domain: string): Promise<Duplex> {
    const { ssh, helper } = this.#up()
    const { path } = await helper.request<{ path: string }>(
      'display_open',
      { domain },
      { timeoutMs: DISPLAY_WITHIN_MS },
    )
    return await openSocket(ssh, path)
  }

  async listDomains(): Promise<DomainState[]> {
    return (await this.#libvirt('list', [])) as DomainState[]
  }
  async defineDomain(xml: string): Promise<void> {
    await this.#libvirt('define', [xml])
  }
  async startDomain(name: string): Promise<void> {
    await this.#libvirt('start', [name], START_TIMEOUT_MS)
  }
  async shutdownDomain(name: string): Promise<void> {
    await this.#libvirt('shutdown', [name])
  }
  async destroyDomain(name: string): Promise<void> {
    await this.#libvirt('destroy', [name], START_TIMEOUT_MS)
  }
  async resumeDomain(name: string): Promise<void> {
    await this.#libvirt('resume', [name])
  }
  async domainXml(name: string): Promise<string> {
    return (await this.#libvirt('xml', [name])) as string
  }

  async close(): Promise<void> {
    this.#abort.abort()
    this.#line?.ssh.end()
    this.#wake?.()
    await this.#ended
  }

  #up(): Line {
    if (!this.#line || this.#status.state !== 'up') throw this.#away()
    return this.#line
  }

  #away(): BrokerError {
    const minutes = Math.floor((Date.now() - this.#status.sinceMs) / 60_000)
    return new BrokerError(
      'hypervisor_unreachable',
      `${this.name} is not reachable${minutes > 0 ? ` since ${minutes} min` : ''}: ${this.#status.reason || 'connecting'}`,
    )
  }

  async #libvirt(
    method: 'list' | 'define' | 'start' | 'shutdown' | 'destroy' | 'resume' | 'xml',
    args: readonly string[],
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<unknown> {
    const { forward } = this.#up()
    return await this.deps.processes.call(
      this.name,
      forward.libvirtUri,
      method,
      args,
      timeoutMs,
      () => {
        forward.cut()
      },
    )
  }

  async #keepUp(): Promise<void> {
    for (let retryMs = FIRST_RETRY_MS; !this.#abort.signal.aborted;) {
      const startedMs = Date.now()
      try {
        const line = await this.#connect()
        await this.#live(line)
        this.#setStatus('unreachable', 'The line was lost; connecting again.')
      } catch (error) {
        if (this.#abort.signal.aborted) break
        this.deps.log.warn({ err: error, hypervisor: this.name }, 'hypervisor is unreachable')
        this.#setStatus('unreachable', sentenceOf(error))
      }
      if (this.#abort.signal.aborted) break // nobody would wake it from a pause of half a minute
      if (Date.now() - startedMs > LAST_RETRY_MS) retryMs = FIRST_RETRY_MS
      await this.#pause(Math.random() * retryMs + 100) // full jitter: many brokers or hosts do not knock together
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
    }
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #connect(): Promise<Line & { facts: HostFacts }> {
    const settings = this.deps.settings()
    const ssh = await openSsh(settings, this.deps.privateKey, this.#abort.signal)
    try {
      const helper = new HelperChannel(this.name, await openHelper(ssh))
      const giveUp = (): void => {
        helper.close()
      }
      this.#abort.signal.addEventListener('abort', giveUp)
      helper.once('close', () => {
        this.#abort.signal.removeEventListener('abort', giveUp)
      })
      helper.on('event', (event) => {
        this.deps.events.onEvent(event)
      })
      await helper.hello(HELLO_TIMEOUT_MS)
      const facts = await helper.request<HostFacts>('configure', settings.directories)
      const forward = await SocketForward.open(ssh)
      const line = { ssh, helper, forward, facts }
      await this.deps.processes
        .call(this.name, forward.libvirtUri, 'list', [], CALL_TIMEOUT_MS, () => {
          forward.cut()
        })
        .catch(async (error: unknown) => {
          await forward.close()
          throw error
        })
      return line
    } catch (error) {
      ssh.destroy()
      throw error
    }
  }

  /** Serves the line until it is gone. */
  async #live(line: Line & { facts: HostFacts }): Promise<void> {
    this.#line = line
    const gone = Promise.race([once(line.ssh, 'close'), once(line.helper, 'close')])
    this.#setStatus('up', '', line.facts)
    const refresh = setInterval(() => {
      void this.#refreshFacts(line.helper)
    }, FACTS_EVERY_MS)
    try {
      await gone // throws what ssh2 says of a line that died
    } finally {
      clearInterval(refresh)
      this.#line = undefined
      line.ssh.destroy()
      await line.forward.close()
    }
  }

  /** Free space and memory change; a look that fails is made again. */
  async #refreshFacts(helper: HelperChannel): Promise<void> {
    const facts = await helper.request<HostFacts>('facts', {}).catch(() => null)
    if (facts && this.#line?.helper === helper) this.#status = { ...this.#status, facts }
  }

  #setStatus(state: LinkStatus['state'], reason: string, facts = this.#status.facts): void {
    const sinceMs = state === this.#status.state ? this.#status.sinceMs : Date.now()
    this.#status = { state, reason, sinceMs, facts }
    this.deps.events.onStatus(this.#status)
  }
}
