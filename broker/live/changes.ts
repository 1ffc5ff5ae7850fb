import { randomBytes } from 'node:crypto'
import { type Topic, TOPICS } from '../api/live.js'
import type { OnWrite, WriteKind } from '../store/written-tables.js'
import type { Tables } from '../store/tables.js'

/**
 * What a page that shows something hears of, table by table; null: no page shows it, or it changes
 * together with another one.
 */
const TOPIC_OF_TABLE: Readonly<Record<keyof Tables, Topic | null>> = {
  setting: null,
  event: 'events',
  account: 'people',
  account_role: 'people',
  token: null,
  web_session: null,
  login_failure: null,
  login_flow: null,
  permission_grant: 'grants',
  hypervisor: 'hypervisors',
  machine: 'machines',
  machine_mac: null,
  generation: 'generations',
  generation_copy: 'generations',
  job: 'jobs',
  job_target: 'jobs',
  job_step: null,
  job_lock: 'machines',
  pool: 'pools',
  desktop: 'pools',
  pool_member: 'pools',
  assignment: 'desktops',
  machine_mirror: null,
  waiter: 'desktops',
  thin_client: 'thin-clients',
  thin_client_mac: 'thin-clients',
  device_login: 'thin-clients',
  thin_client_order: 'thin-clients',
  clients_xml_version: 'clients-xml',
  console_seat: 'sessions',
  drain: 'hypervisors',
  leftover: 'hypervisors',
  history_minute: 'history',
}
/** Changes of one moment are told together. */
const GATHER_MS = 100
/** Who was away for longer hears that everything may have changed. */
const MOST_KEPT = 1_000
const SELDOM_MS = 60_000

/**
 * Tells that something has changed, and what kind of thing; remembers a while, for those who were
 * cut off. Nothing secret: topics only.
 */
export class Changes {
  /** Another one each start, so that a mark of an earlier broker is not taken for ours. */
  readonly #epoch = randomBytes(6).toString('hex')
  readonly #kept: Array<ReadonlySet<Topic>> = []
  readonly #listeners = new Set<(topics: readonly Topic[]) => void>()
  readonly #writeListeners = new Set<OnWrite>()
  #number = 0
  #revision = 0
  #gathered = new Set<Topic>()
  #due: NodeJS.Timeout | undefined
  readonly #seldom = new Set<Topic>()

  /** The id of what was told last. */
  get mark(): string {
    return `${this.#epoch}-${this.#number}`
  }

  /** Another one after any change, also one that no page is told of. */
  get revision(): number {
    return this.#revision
  }

  /** A row of this table was written. Names that no table has are views and such: nothing is told of them. */
  wrote(table: string, kind: WriteKind = 'update'): void {
    this.#revision++
    for (const listener of this.#writeListeners) listener(table, kind)
    const topic = TOPIC_OF_TABLE[table as keyof Tables]
    if (topic) this.note(topic)
  }

  note(topic: Topic): void {
    this.#revision++
    this.#gathered.add(topic)
    this.#due ??= setTimeout(() => {
      this.#tell()
    }, GATHER_MS).unref()
  }

  /**
   * For what moves a little all the time, such as the free memory of hosts: it is told within a
   * minute, and not each time.
   */
  noteSeldom(topic: Topic): void {
    this.#revision++
    if (this.#seldom.has(topic)) return
    this.#seldom.add(topic)
    setTimeout(() => {
      this.#seldom.delete(topic)
      this.note(topic)
    }, SELDOM_MS).unref()
  }

  /** Topics that changed after `mark`; all of them when that is not known any more. */
  since(mark: string): Topic[] {
    const [, epoch, number] = /^([0-9a-f]+)-([0-9]+)$/.exec(mark) ?? []
    const missed = epoch === this.#epoch ? this.#number - Number(number) : -1
    if (missed < 0 || missed > this.#kept.length) return [...TOPICS]
    const topics = new Set(this.#kept.slice(this.#kept.length - missed).flatMap((one) => [...one]))
    return TOPICS.filter((topic) => topics.has(topic))
  }

  /** At once with each write, when its transaction is committed. */
  onWrite(listener: OnWrite): void {
    this.#writeListeners.add(listener)
  }

  /** Gives the function that ends it. */
  subscribe(listener: (topics: readonly Topic[]) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  #tell(): void {
    this.#due = undefined
    const topics = this.#gathered
    this.#gathered = new Set()
    this.#number++
    this.#kept.push(topics)
    if (this.#kept.length > MOST_KEPT) this.#kept.shift()
    for (const listener of this.#listeners) listener([...topics])
  }
}
