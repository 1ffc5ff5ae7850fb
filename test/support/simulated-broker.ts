import { mkdtempSync, rmSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Logger, pino } from 'pino'
import { type Broker, startBroker } from '../../broker/broker.js'
import { type Config, parseConfig } from '../../broker/config.js'
import type { LinkEvents, LinkSettings } from '../../broker/hypervisors/hypervisor.js'
import { SimulatedHost } from '../../broker/hypervisors/simulated.js'
import type { StepHook } from '../../broker/jobs/context.js'
import { ApiClient } from './api-client.js'
import { CarryingLink } from './carrying-link.js'
import {
  databaseIn,
  dropDatabaseIn,
  IS_POSTGRESQL,
  openOutside,
  type OutsideDatabase,
} from './database.js'
import { keptLog } from './kept-logs.js'
import { until } from './until.js'

export interface SimulatedBrokerOptions {
  /** The hosts by number (hv1, hv2, …), or those of an earlier broker. */
  readonly hosts?: number | readonly SimulatedHost[]
  /** An earlier broker's data; without one a new directory is made, and removed at `remove`. */
  readonly directory?: string
  readonly hook?: StepHook
  readonly log?: Logger
  /** Other settings than the defaults of this file. */
  readonly config?: Partial<Config>
  readonly requestWithinMs?: number
  /** The CA of a certificate of the site's own, as PEM. */
  readonly ca?: string
}

/** As ssh-keygen prints it; a simulated host shows no key at all. */
export const FINGERPRINT = `SHA256:${'A'.repeat(43)}`
/** Memory where there is some: synchronous=FULL costs nothing there. */
const TEMPORARY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export function temporaryDirectory(): string {
  return mkdtempSync(join(TEMPORARY, 'berth-test-'))
}

/** Nothing is said; what is worth a warning is kept where somebody wants the logs. */
function quietLog(): Logger {
  const file = keptLog('broker')
  return file === null
    ? pino({ level: 'silent' })
    : pino({ level: 'warn' }, pino.destination({ dest: file, sync: true }))
}

/** The real app in this process, on a port of its own, with hosts in memory. */
export class SimulatedBroker {
  /** What the job steps call; it may be changed while the broker runs. */
  hook: StepHook
  #broker: Broker | undefined
  #database: OutsideDatabase | undefined
  #token: string | null = null
  readonly #log = quietLog()

  private constructor(
    readonly options: SimulatedBrokerOptions,
    readonly directory: string,
    readonly hosts: Map<string, SimulatedHost>,
  ) {
    this.hook = options.hook ?? (() => {})
  }

  /** Starts it and waits until every host that it knows is up. */
  static async start(options: SimulatedBrokerOptions = {}): Promise<SimulatedBroker> {
    const given = options.hosts ?? 1
    const hosts =
      typeof given === 'number'
        ? Array.from({ length: given }, (_, index) => new SimulatedHost(`hv${index + 1}`))
        : given
    const broker = new SimulatedBroker(
      options,
      options.directory ?? temporaryDirectory(),
      new Map(hosts.map((host) => [host.name, host])),
    )
    await broker.start()
    return broker
  }

  get broker(): Broker {
    if (!this.#broker) throw new Error('the broker is stopped')
    return this.#broker
  }

  get url(): string {
    return `https://127.0.0.1:${this.broker.port}`
  }
  get ca(): string {
    return this.options.ca ?? readFileSync(join(this.directory, 'data', 'ca.pem'), 'utf8')
  }
  get clientsXml(): string {
    return join(this.directory, 'clients.xml')
  }
  get adminPassword(): string {
    return readFileSync(join(this.directory, 'data', 'admin-password'), 'utf8').trim()
  }
  get token(): string {
    return this.#token ?? ''
  }
  /** With a program's token of the first administrator. */
  get admin(): ApiClient {
    return new ApiClient(this.url, this.ca, this.token)
  }
  get anybody(): ApiClient {
    return new ApiClient(this.url, this.ca)
  }

  host(name = 'hv1'): SimulatedHost {
    const host = this.hosts.get(name)
    if (!host) throw new Error(`there is no host ${name}`)
    return host
  }

  /** `settings`: others than before. */
  async start(settings: Partial<Config> = {}): Promise<void> {
    const dataDir = join(this.directory, 'data')
    const database = await databaseIn(dataDir)
    const config: Config = {
      ...parseConfig('', 'defaults'),
      dataDir,
      store: IS_POSTGRESQL ? database : null,
      listenAddress: '127.0.0.1',
      listenPort: 0,
      publicNames: ['127.0.0.1', 'localhost'],
      siteNames: ['127.0.0.1', 'localhost'],
      clientsXmlPath: this.clientsXml,
      libvirtProcesses: 1,
      ...this.options.config,
      ...settings,
    }
    const openLink = (
      name: string,
      settings: () => LinkSettings,
      events: LinkEvents,
    ): CarryingLink => new CarryingLink(this.host(name), { settings, events })
    this.#broker = await startBroker({
      config,
      log: this.options.log ?? this.#log,
      hook: (point) => {
        this.hook(point)
      },
      hosts: { openLink },
      ...(this.options.requestWithinMs === undefined
        ? {}
        : { requestWithinMs: this.options.requestWithinMs }),
    })
    this.#database = await openOutside(database)
    this.#token = await this.#ownToken()
    for (const host of this.hosts.values())
      await until(() => !host.link || host.link.status().state === 'up', {
        withinMs: 5_000,
        everyMs: 2,
        what: `${host.name} is up`,
      })
  }

  /** A program's token that outlives a restart; it lies beside the data. */
  async #ownToken(): Promise<string> {
    const file = join(this.directory, 'token')
    if (existsSync(file)) return readFileSync(file, 'utf8')
    const login = await this.anybody.post<{ token: string }>('/login', {
      name: 'admin',
      password: this.adminPassword,
    })
    const { token } = await new ApiClient(this.url, this.ca, login.token).post<{ token: string }>(
      '/tokens',
      { name: 'test' },
    )
    writeFileSync(file, token, { mode: 0o600 })
    return token
  }

  /** Adds all hosts as hypervisors. */
  async addHypervisors(): Promise<void> {
    for (const [index, name] of [...this.hosts.keys()].entries()) {
      await this.admin.post('/hypervisors', {
        name,
        address: `10.0.0.${index + 1}`,
        fingerprint: FINGERPRINT,
        virtType: 'qemu',
      })
    }
    for (const host of this.hosts.values())
      await until(() => host.link?.status().state === 'up', {
        withinMs: 5_000,
        everyMs: 2,
        what: `${host.name} is up`,
      })
  }

  /** Rows of the database, read from outside of the broker; `?` stands for a value. */
  async rows<T = Record<string, unknown>>(sql: string, ...values: unknown[]): Promise<T[]> {
    if (!this.#database) throw new Error('the broker is stopped')
    return await this.#database.rows<T>(sql, values)
  }

  /** Changes the database behind the broker's back. */
  async run(sql: string, ...values: unknown[]): Promise<void> {
    await this.rows(sql, ...values)
  }

  async stop(): Promise<void> {
    await this.#database?.close()
    this.#database = undefined
    await this.#broker?.stop()
    this.#broker = undefined
  }

  /** Stops it and removes its data. */
  async remove(): Promise<void> {
    await this.stop()
    await dropDatabaseIn(join(this.directory, 'data'))
    rmSync(this.directory, { recursive: true, force: true })
  }
}
