import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ApiClient } from './api-client.js'
import { keptLog } from './kept-logs.js'
import { until } from './until.js'

export interface BrokerOptions {
  /** Holds the broker's data, settings, clients.xml and log. */
  readonly directory: string
  /** Where thin clients and hypervisors reach it. */
  readonly address: string
  readonly port?: number
  readonly thinClientNetworks?: readonly string[]
  /** Further settings, by their name in broker.yaml. */
  readonly settings?: Readonly<Record<string, string | number | readonly string[]>>
  /** Ends the broker with kill -9 at this step of a job: `kind target step when`, parts may be `*`. */
  readonly crashAt?: string
  /** Its hypervisors are simulated, whatever is added. */
  readonly simulatedHosts?: boolean
}

const START_TIMEOUT_MS = 60_000

/** The repository's root, from the sources and from dist/ alike. */
export const ROOT = (() => {
  let folder = fileURLToPath(new URL('.', import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = join(folder, '..')
  return folder
})()

/** A broker in a process of its own, from dist/, that can be killed and started again on the same data. */
export class BrokerProcess {
  #child: ChildProcess | undefined
  readonly logFile: string

  private constructor(
    readonly options: BrokerOptions,
    readonly port: number,
  ) {
    this.logFile = keptLog('broker') ?? join(options.directory, 'broker.log')
  }

  static async start(options: BrokerOptions): Promise<BrokerProcess> {
    const broker = new BrokerProcess(options, options.port ?? 8443)
    await broker.start()
    return broker
  }

  get url(): string {
    return `https://${this.hostAndPort}`
  }
  /** As a program is told where it is: `[IPV6]:PORT`. */
  get hostAndPort(): string {
    const { address } = this.options
    return `${address.includes(':') ? `[${address}]` : address}:${this.port}`
  }
  get pid(): number {
    return this.#child?.pid ?? 0
  }
  get clientsXml(): string {
    return join(this.options.directory, 'clients.xml')
  }
  get adminPassword(): string {
    return readFileSync(join(this.options.directory, 'data', 'admin-password'), 'utf8').trim()
  }
  get passwordFile(): string {
    return join(this.options.directory, 'data', 'admin-password')
  }
  get ca(): string {
    return readFileSync(join(this.options.directory, 'data', 'ca.pem'), 'utf8')
  }

  /** Starts it and waits until it answers. `crashAt` replaces the one of the options. */
  async start(crashAt = this.options.crashAt): Promise<void> {
    const { directory, address } = this.options
    mkdirSync(directory, { recursive: true })
    const settings = {
      'data-dir': join(directory, 'data'),
      'listen-address': address,
      'listen-port': this.port,
      'clients-xml': this.clientsXml,
      ...this.options.settings,
    }
    const lists =
      'public-names: ' +
      `[${JSON.stringify(address)}]\nthin-client-networks: ${JSON.stringify(this.options.thinClientNetworks ?? [])}\n`
    writeFileSync(
      join(directory, 'broker.yaml'),
      `${Object.entries(settings)
        .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
        .join('')}${lists}`,
    )
    const program = this.options.simulatedHosts
      ? 'dist/bench/simulated-broker.js'
      : crashAt === undefined
        ? 'dist/broker/main.js'
        : 'dist/test/support/crashing-broker.js'
    // It must not outlive a test that was ended, or the next one finds its port taken.
    const child = spawn(
      'setpriv',
      [
        '--pdeathsig',
        'KILL',
        '--',
        process.execPath,
        join(ROOT, program),
        '--config',
        join(directory, 'broker.yaml'),
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          NODE_OPTIONS: '',
          ...(crashAt === undefined ? {} : { CRASH_AT: crashAt }),
        },
      },
    )
    const log = createWriteStream(this.logFile, { flags: 'a' })
    child.stdout.pipe(log)
    child.stderr.pipe(log)
    this.#child = child
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`it exited ${child.exitCode}`)
        return (await new ApiClient(this.url, this.ca).raw('GET', '/healthz')).status === 200
      },
      {
        withinMs: START_TIMEOUT_MS,
        what: `the broker answers at ${this.url} (log: ${this.logFile})`,
      },
    )
  }

  /** An administrator's client. */
  async login(): Promise<ApiClient> {
    const client = new ApiClient(this.url, this.ca)
    const { token } = await client.post<{ token: string }>('/login', {
      name: 'admin',
      password: this.adminPassword,
    })
    return new ApiClient(this.url, this.ca, token)
  }

  /** Waits until the process has ended by itself (a crash that was ordered). */
  async ended(withinMs: number): Promise<void> {
    await until(() => this.#child?.exitCode !== null || this.#child.signalCode !== null, {
      withinMs,
      what: 'the broker process has ended',
    })
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child?.kill(signal)
    await this.ended(15_000)
  }

  async stop(): Promise<void> {
    await this.kill('SIGTERM')
  }
}
