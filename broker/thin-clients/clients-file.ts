import { EventEmitter } from 'node:events'
import { readFileSync, statSync, watch, type FSWatcher } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Logger } from 'pino'
import type { Fault } from '../api/thin-clients.js'
import { BrokerError } from '../errors.js'
import type { Store } from '../store/open.js'
import { type ClientsFile, parseClientsXml, type ParsedClients } from './clients-xml.js'

export interface ClientsFileDeps { readonly path: string, readonly store: Store, readonly horizonServer: string, readonly log: Logger }

const SETTLE_MS = 100
/** Where directory watching does not work (network file systems), a look now and then does. */
const LOOK_EVERY_MS = 5_000

/** clients.xml on disk: watched and reloaded; a bad file is refused and the last good one stays in force. Emits `reload`. */
export class ClientsXmlFile extends EventEmitter<{ reload: [] }> {
  #current: ClientsFile = { clients: [], fallback: null }
  #faults: Fault[] = []
  #loadedAt: number | null = null
  #stamp = ''
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  #settle: NodeJS.Timeout | undefined

  constructor (readonly deps: ClientsFileDeps) { super() }

  get current (): ClientsFile { return this.#current }
  get faults (): readonly Fault[] { return this.#faults }
  get loadedAt (): number | null { return this.#loadedAt }

  async start (): Promise<void> {
    await mkdir(dirname(this.deps.path), { recursive: true })
    await this.#loadIfChanged()
    this.#watcher = watch(dirname(this.deps.path), (_event, name) => {
      if (name !== null && name !== basename(this.deps.path)) return
      clearTimeout(this.#settle)
      this.#settle = setTimeout(() => { void this.#loadIfChanged() }, SETTLE_MS)
    })
    this.#watcher.on('error', (error) => { this.deps.log.warn({ err: error }, 'clients.xml is not watched any more; it is looked at every few seconds') })
    this.#timer = setInterval(() => { void this.#loadIfChanged() }, LOOK_EVERY_MS)
  }

  stop (): void {
    this.#watcher?.close()
    clearInterval(this.#timer)
    clearTimeout(this.#settle)
  }

  text (): string {
    try {
      return readFileSync(this.deps.path, 'utf8')
    } catch {
      return ''
    }
  }

  /** Parses a text against the machines of now; changes nothing. */
  async check (text: string): Promise<ParsedClients> {
    const machines = await this.deps.store.selectFrom('machine').select('name').execute()
    const names = new Set(machines.map((machine) => machine.name.toLowerCase()))
    return parseClientsXml(text, (name) => names.has(name.toLowerCase()), { horizonServer: this.deps.horizonServer })
  }

  /** Writes and loads a new file; throws `clients_xml_invalid` with every fault, and then nothing has changed. */
  async replace (text: string): Promise<ParsedClients> {
    const parsed = await this.check(text)
    const errors = parsed.faults.filter((fault) => fault.severity === 'error').length
    if (!parsed.file) throw new BrokerError('clients_xml_invalid', `clients.xml has ${errors === 1 ? 'a fault' : `${errors} faults`}; the file in force stays.`, { details: parsed.faults })
    const temporary = `${this.deps.path}.new`
    const file = await open(temporary, 'w', 0o644)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, this.deps.path)
    await this.#loadIfChanged()
    return parsed
  }

  async #loadIfChanged (): Promise<void> {
    const stamp = this.#stampNow()
    if (stamp === this.#stamp || stamp === '') return
    this.#stamp = stamp
    const parsed = await this.check(this.text())
    this.#faults = parsed.faults
    if (!parsed.file) {
      this.deps.log.error({ path: this.deps.path, faults: parsed.faults.slice(0, 20) }, 'clients.xml is refused; the last good one stays in force')
      return
    }
    this.#current = parsed.file
    this.#loadedAt = Date.now()
    this.deps.log.info({ path: this.deps.path, clients: parsed.file.clients.length }, 'clients.xml loaded')
    this.emit('reload')
  }

  #stampNow (): string {
    try {
      const { mtimeMs, size, ino } = statSync(this.deps.path)
      return `${mtimeMs}/${size}/${ino}`
    } catch {
      return ''
    }
  }
}
