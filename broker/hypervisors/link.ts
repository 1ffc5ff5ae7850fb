import { setTimeout as delay } from 'node:timers/promises'
import type { Duplex } from 'node:stream'
import { type BrokerError, refusal, sentenceOf } from '../errors/broker-error.js'
import { type Contact, type ContactStage, tryContact, visit, type Visited } from './contact.js'
import type { HelperChannel, RequestOptions } from './helper-channel.js'
import { parseDomainXml } from './domain-xml.js'
import type { DomainId, DomainState, HostFacts, HypervisorLink, LinkStatus } from './hypervisor.js'
import {
  CALL_TIMEOUT_MS,
  closeForward,
  type Line,
  type LineEnd,
  type LinkDeps,
  type NewLine,
  openLine,
  PATIENCE,
} from './line.js'
import { openForward, openHelper, openSocket } from './ssh-connection.js'

const MISSED_PINGS = 2
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000
const DISPLAY_WITHIN_MS = 10_000
const START_TIMEOUT_MS = 60_000

/** The line to a real hypervisor: one SSH connection, kept up with backoff and jitter until `close`. */
export class SshLink implements HypervisorLink {
  readonly #abort = new AbortController()
  readonly #ended: Promise<void>
  readonly #end: LineEnd
  #line: Line | undefined
  #status: LinkStatus = {
    state: 'connecting',
    reason: 'First contact.',
    sinceMs: Date.now(),
    facts: null,
  }
  /** As the status's `sinceMs`, by the clock that nobody sets. */
  #changedMs = performance.now()
  #wake: (() => void) | undefined
  /** The attempt that is under way; a wish for another one ends it. */
  #attempt: AbortController | undefined
  #again = false
  readonly #waitingForUp = new Set<() => void>()

  constructor(
    readonly name: string,
    readonly deps: LinkDeps,
  ) {
    this.#end = { name, deps, patience: { ...PATIENCE, ...deps.patience } }
    this.#ended = this.#keepUp()
  }

  status(): LinkStatus {
    return this.#status
  }

  /** Tries again now, with the settings as they are now; a connection that is up is replaced. */
  reconnect(): void {
    this.#again = true
    this.#attempt?.abort()
    this.#line?.ssh.end()
    this.#wake?.()
  }

  async untilUp(withinMs: number): Promise<void> {
    if (this.#status.state === 'up') return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#abort.signal.removeEventListener('abort', done)
        this.#waitingForUp.delete(done)
        resolve()
      }
      const timer = setTimeout(done, withinMs)
      this.#abort.signal.addEventListener('abort', done)
      this.#waitingForUp.add(done)
    })
    if (this.#isAway()) throw this.#away()
  }

  #isAway(): boolean {
    return this.#status.state !== 'up'
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
    const { name, uuid } = parseDomainXml(xml)
    await this.#libvirt('define', [name, uuid, xml])
  }
  async startDomain({ name, uuid }: DomainId): Promise<void> {
    await this.#libvirt('start', [name, uuid], START_TIMEOUT_MS)
  }
  async shutdownDomain({ name, uuid }: DomainId): Promise<void> {
    await this.#libvirt('shutdown', [name, uuid])
  }
  async destroyDomain({ name, uuid }: DomainId): Promise<void> {
    await this.#libvirt('destroy', [name, uuid], START_TIMEOUT_MS)
  }
  async resumeDomain({ name, uuid }: DomainId): Promise<void> {
    await this.#libvirt('resume', [name, uuid])
  }
  async domainXml(name: string): Promise<string> {
    return (await this.#libvirt('xml', [name])) as string
  }
  async definition({ name, uuid }: DomainId): Promise<string | null> {
    return (await this.#libvirt('definition', [name, uuid])) as string | null
  }

  async close(): Promise<void> {
    this.#line?.ssh.end()
    this.#abort.abort()
    this.#wake?.()
    await this.#ended
  }

  #up(): Line {
    if (!this.#line || this.#status.state !== 'up') throw this.#away()
    return this.#line
  }

  #away(): BrokerError {
    const minutes = Math.floor((performance.now() - this.#changedMs) / 60_000)
    const why = this.#status.reason || 'connecting'
    return minutes > 0
      ? refusal('hypervisor_away_since', { hypervisor: this.name, minutes, why })
      : refusal('hypervisor_away', { hypervisor: this.name, why })
  }

  async #libvirt(
    method: 'list' | 'define' | 'start' | 'shutdown' | 'destroy' | 'resume' | 'xml' | 'definition',
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
      const startedMs = performance.now()
      const attempt = (this.#attempt = new AbortController())
      try {
        const line = await openLine(
          this.#end,
          AbortSignal.any([this.#abort.signal, attempt.signal]),
        )
        this.#attempt = undefined
        await this.#live(line)
        this.#setStatus('unreachable', 'The line was lost; connecting again.')
      } catch (error) {
        if (this.#abort.signal.aborted) break
        this.deps.log.warn({ err: error, hypervisor: this.name }, 'hypervisor is unreachable')
        this.#setStatus('unreachable', sentenceOf(error))
      }
      if (this.#abort.signal.aborted) break // nobody would wake it from a pause of half a minute
      if (this.#again) {
        this.#again = false
        retryMs = FIRST_RETRY_MS
        continue
      }
      if (performance.now() - startedMs > LAST_RETRY_MS) retryMs = FIRST_RETRY_MS
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
    this.#wake = undefined
  }

  /** Serves the line until it is gone. */
  async #live(line: NewLine): Promise<void> {
    this.#line = line
    this.#setStatus('up', '', line.facts)
    const ended = new AbortController()
    try {
      // throws what ssh2 says of a line that died
      await Promise.race([line.gone, this.#watchHelper(line.helper, ended.signal)])
    } finally {
      ended.abort()
      this.#line = undefined
      line.ssh.destroy()
      line.helper.close()
      await closeForward(this.#end, line.forward)
    }
  }

  /**
   * Free space and memory change, and are asked again and again. Throws when the helper does not
   * even answer a ping any more: then another one is begun.
   */
  async #watchHelper(helper: HelperChannel, ended: AbortSignal): Promise<void> {
    for (let missed = 0; !ended.aborted;) {
      await delay(this.#end.patience.factsEveryMs, undefined, { signal: ended, ref: false }).catch(
        () => {},
      )
      if (ended.aborted) return
      const lives = await helper.request('ping', {}, { timeoutMs: this.#end.patience.pingMs }).then(
        () => true,
        () => false,
      )
      missed = lives ? 0 : missed + 1
      if (missed === MISSED_PINGS) throw refusal('helper_restarted', { hypervisor: this.name })
      if (lives) await this.#refreshFacts(helper)
    }
  }

  async #refreshFacts(helper: HelperChannel): Promise<void> {
    const facts = await helper.request<HostFacts>('facts', {}).catch(() => null) // another time
    if (facts && this.#line?.helper === helper) this.#status = { ...this.#status, facts }
  }

  #setStatus(state: LinkStatus['state'], reason: string, facts = this.#status.facts): void {
    const isNew = state !== this.#status.state
    if (isNew) this.#changedMs = performance.now()
    const sinceMs = isNew ? Date.now() : this.#status.sinceMs
    this.#status = { state, reason, sinceMs, facts }
    if (state === 'up') for (const done of [...this.#waitingForUp]) done()
    this.deps.events.onStatus(this.#status)
  }
}
