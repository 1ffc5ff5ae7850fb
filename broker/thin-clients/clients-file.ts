import { createHash } from 'node:crypto'
import { readFileSync, statSync, watch, type FSWatcher } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import pLimit from 'p-limit'
import type { Logger } from 'pino'
import { inBackground } from '../background.js'
import type { Fault } from '../api/clients-xml.js'
import type { Actor } from '../audit/store.js'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { Store } from '../store/open.js'
import { ClientsXmlVersions } from './clients-versions.js'
import { ClientsReading } from './clients-reading.js'
import type { ClientsFile, ParsedClients } from './clients-xml.js'

export interface ClientsFileDeps {
  readonly path: string
  readonly store: Store
  readonly events: Events
  readonly horizonServer: string
  readonly log: Logger
}

const SETTLE_MS = 100
/** Where directory watching does not work (network file systems), a look now and then does. */
const LOOK_EVERY_MS = 5_000

/** Whoever can write the file on disk. */
const BY_FILE: Actor = { actor: 'file', address: '' }

/**
 * clients.xml on disk: watched and reloaded; a bad file is refused and the last good one stays in
 * force.
 */
export class ClientsXmlFile {
  readonly versions: ClientsXmlVersions
  readonly #reading = new ClientsReading()
  /** One reads or writes the file at a time: two who save at once must not both find it unchanged. */
  readonly #line = pLimit(1)
  #current: ClientsFile = { clients: [], fallback: null }
  #faults: Fault[] = []
  #loadedAt: number | null = null
  #stamp = ''
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  #settle: NodeJS.Timeout | undefined

  constructor(readonly deps: ClientsFileDeps) {
    this.versions = new ClientsXmlVersions(deps.store)
  }

  get current(): ClientsFile {
    return this.#current
  }
  get faults(): readonly Fault[] {
    return this.#faults
  }
  get loadedAt(): number | null {
    return this.#loadedAt
  }

  async start(): Promise<void> {
    await mkdir(dirname(this.deps.path), { recursive: true })
    await this.#look()
    this.#watcher = watch(dirname(this.deps.path), (_event, name) => {
      if (name !== null && name !== basename(this.deps.path)) return
      clearTimeout(this.#settle)
      this.#settle = setTimeout(() => {
        this.#lookSoon()
      }, SETTLE_MS)
    })
    this.#watcher.on('error', (error) => {
      this.deps.log.warn(
        { err: error },
        'clients.xml is not watched any more; it is looked at every few seconds',
      )
    })
    this.#timer = setInterval(() => {
      this.#lookSoon()
    }, LOOK_EVERY_MS)
  }

  stop(): void {
    this.#watcher?.close()
    clearInterval(this.#timer)
    clearTimeout(this.#settle)
  }

  /** What is on the disk, in force or not. */
  text(): string {
    try {
      return readFileSync(this.deps.path, 'utf8')
    } catch {
      return ''
    }
  }

  /** Parses a text against the machines of now; changes nothing. */
  async check(text: string): Promise<ParsedClients> {
    const machines = await this.deps.store.selectFrom('machine').select('name').execute()
    const names = new Set(machines.map((machine) => machine.name.toLowerCase()))
    return await this.#reading.read(text, {
      machineExists: (name) => names.has(name.toLowerCase()),
      horizonServer: this.deps.horizonServer,
    })
  }

  /**
   * Writes and loads a new file. Throws `clients_xml_invalid` with every fault, or
   * `changed_meanwhile` when the file on the disk is not `have` any more; then nothing has changed.
   */
  async replace(text: string, by: Actor, have?: string): Promise<ParsedClients> {
    return await this.#line(async () => {
      const parsed = await this.check(text)
      const errors = parsed.faults.filter((fault) => fault.severity === 'error').length
      if (!parsed.file)
        throw errors === 1
          ? refusal('clients_xml_fault', {}, { details: parsed.faults })
          : refusal('clients_xml_faults', { count: errors }, { details: parsed.faults })
      if (have !== undefined && have !== etagOf(this.text())) throw await this.#changedMeanwhile()
      await this.#write(text)
      await this.#loadIfChanged(by)
      return parsed
    })
  }

  async #changedMeanwhile(): Promise<BrokerError> {
    const [last] = await this.versions.list()
    const known = last !== undefined && last.etag === etagOf(this.text())
    if (!known) return refusal('clients_xml_changed')
    const at = new Date(last.at)
    return last.by === BY_FILE.actor
      ? refusal('clients_xml_changed_at', { at })
      : refusal('clients_xml_changed_by', { person: last.by, at })
  }

  async #write(text: string): Promise<void> {
    const temporary = `${this.deps.path}.new`
    const file = await open(temporary, 'w', 0o644)
    try {
      await file.writeFile(text)
      await file.sync()
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    } finally {
      await file.close()
    }
    await rename(temporary, this.deps.path)
  }

  /** The next look comes by the timer, so one that fails is not repeated before. */
  #lookSoon(): void {
    inBackground({ log: this.deps.log, what: 'clients-xml.look', work: () => this.#look() })
  }

  async #look(): Promise<void> {
    await this.#line(async () => {
      await this.#loadIfChanged(BY_FILE)
    })
  }

  async #loadIfChanged(by: Actor): Promise<void> {
    const stamp = this.#stampNow()
    if (stamp === this.#stamp || stamp === '') return
    await this.#load(by)
    this.#stamp = stamp // not before: what could not be loaded is tried again
  }

  async #load(by: Actor): Promise<void> {
    const text = this.text()
    const parsed = await this.check(text)
    this.#faults = parsed.faults
    if (!parsed.file) {
      this.deps.log.error(
        { path: this.deps.path, faults: parsed.faults.slice(0, 20) },
        'clients.xml is refused; the last good one stays in force',
      )
      this.deps.events.publish('clientsXmlRead')
      return
    }
    this.#current = parsed.file
    this.#loadedAt = Date.now()
    await this.versions.keep({ text, etag: etagOf(text), clients: parsed.file.clients.length }, by)
    this.deps.log.info(
      { path: this.deps.path, clients: parsed.file.clients.length },
      'clients.xml loaded',
    )
    this.deps.events.publish('clientsXmlLoaded')
    this.deps.events.publish('clientsXmlRead')
  }

  #stampNow(): string {
    try {
      const { mtimeMs, size, ino } = statSync(this.deps.path)
      return `${mtimeMs}/${size}/${ino}`
    } catch {
      return ''
    }
  }
}

/** Names a text. */
export function etagOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}
