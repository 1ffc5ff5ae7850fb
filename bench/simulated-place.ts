import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApiClient } from '../test/support/api-client.js'
import { ROOT } from '../test/support/broker-process.js'
import { until } from '../test/support/until.js'

const PORT = 18_443
const AT_ONCE = 50

/** `password`: of the administrator, whose token `api` has. `stop` removes the data too. */
export interface SimulatedBroker {
  readonly pid: number
  readonly password: string
  readonly url: string
  readonly ca: string
  readonly api: ApiClient
  /** How late its event loop was since the last question. */
  readonly loopDelay: () => Promise<LoopDelay>
  readonly holdings: () => Promise<Holdings>
  /** Cuts the line to a host, or brings it back. */
  readonly setLine: (host: string, up: boolean) => Promise<void>
  /** Whose viewers are connected to a machine from now on. */
  readonly seat: (host: string, machine: string, viewers: readonly string[]) => Promise<void>
  readonly database: string
  readonly stop: () => Promise<void>
}

/** What the parent asks of the broker's process. */
export type Order =
  | { readonly do: 'loop-delay' }
  | { readonly do: 'holdings' }
  | { readonly do: 'line'; readonly host: string; readonly up: boolean }
  | {
      readonly do: 'seat'
      readonly host: string
      readonly machine: string
      readonly viewers: readonly string[]
    }

export interface Holdings {
  readonly rssBytes: number
  readonly heapBytes: number
  readonly externalBytes: number
  /** What keeps the event loop alive: sockets, timers, requests. */
  readonly handles: number
}

/** Milliseconds. */
export interface LoopDelay {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Starts one whose hypervisors are simulated, in a process and a directory of its own, and logs in. */
export async function startSimulatedBroker(): Promise<SimulatedBroker> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-bench-'))
  const url = `https://127.0.0.1:${PORT}`
  writeSettings(directory)
  const child = spawn(
    process.execPath,
    [join(ROOT, 'dist/bench/simulated-broker.js'), join(directory, 'broker.yaml')],
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  )
  const log = createWriteStream(join(directory, 'broker.log'))
  child.stdout?.pipe(log)
  child.stderr?.pipe(log)
  const ca = (): string => readFileSync(join(directory, 'data', 'ca.pem'), 'utf8')
  await until(async () => (await new ApiClient(url, ca()).raw('GET', '/healthz')).status === 200, {
    withinMs: 20_000,
    what: `the simulated broker answers (log: ${directory}/broker.log)`,
  })
  const password = readFileSync(join(directory, 'data', 'admin-password'), 'utf8').trim()
  const { token } = await new ApiClient(url, ca()).post<{ token: string }>('/login', {
    name: 'admin',
    password,
  })
  return {
    ...ordersTo(child),
    pid: child.pid ?? 0,
    password,
    url,
    ca: ca(),
    api: new ApiClient(url, ca(), token),
    database: join(directory, 'data', 'berth.sqlite'),
    stop: async () => {
      if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function writeSettings(directory: string): void {
  const settings = {
    'data-dir': join(directory, 'data'),
    'listen-address': '127.0.0.1',
    'listen-port': PORT,
    'public-names': ['127.0.0.1'],
    'clients-xml': join(directory, 'clients.xml'),
    'thin-client-networks': ['127.0.0.0/8'],
    'log-level': 'warn',
  }
  writeFileSync(
    join(directory, 'broker.yaml'),
    Object.entries(settings)
      .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
      .join(''),
  )
}

function ordersTo(
  child: ChildProcess,
): Pick<SimulatedBroker, 'loopDelay' | 'holdings' | 'setLine' | 'seat'> {
  // One after another: an answer does not say to what it is one.
  let last: Promise<unknown> = Promise.resolve()
  const order = async <T>(wanted: Order): Promise<T> => {
    const mine = last.then(async () => {
      const said = once(child, 'message')
      child.send(wanted)
      return ((await said) as [T])[0]
    })
    last = mine
    return await mine
  }
  return {
    loopDelay: async () => await order<LoopDelay>({ do: 'loop-delay' }),
    holdings: async () => await order<Holdings>({ do: 'holdings' }),
    setLine: async (host, up) => {
      await order({ do: 'line', host, up })
    },
    seat: async (host, machine, viewers) => {
      await order({ do: 'seat', host, machine, viewers })
    },
  }
}

/** Adds so many hypervisors and gives their names. */
export async function addSimulatedHypervisors(api: ApiClient, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `sim${index + 1}`)
  for (const [index, name] of names.entries())
    await api.post('/hypervisors', {
      name,
      address: `192.0.2.${index + 1}`,
      fingerprint: `SHA256:${'A'.repeat(43)}`,
      virtType: 'qemu',
    })
  return names
}

/** Acts for each, a few at a time; gives the time for all. */
export async function inTurn<T>(
  all: readonly T[],
  act: (one: T) => Promise<void>,
): Promise<number> {
  const startMs = performance.now()
  const queue = [...all]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let one = queue.shift(); one; one = queue.shift()) await act(one)
    }),
  )
  return performance.now() - startMs
}
