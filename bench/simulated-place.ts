import { spawn } from 'node:child_process'
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
  readonly stop: () => Promise<void>
}

/** Starts one whose hypervisors are simulated, in a process and a directory of its own, and logs in. */
export async function startSimulatedBroker(): Promise<SimulatedBroker> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-bench-'))
  const url = `https://127.0.0.1:${PORT}`
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
  const child = spawn(
    process.execPath,
    [join(ROOT, 'dist/bench/simulated-broker.js'), join(directory, 'broker.yaml')],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const log = createWriteStream(join(directory, 'broker.log'))
  child.stdout.pipe(log)
  child.stderr.pipe(log)
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
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit')
    rmSync(directory, { recursive: true, force: true })
  }
  return {
    pid: child.pid ?? 0,
    password,
    url,
    ca: ca(),
    api: new ApiClient(url, ca(), token),
    stop,
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
