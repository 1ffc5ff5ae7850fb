import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { chainHash } from '../../../broker/audit/store.js'
import { ApiClient } from '../../support/api-client.js'
import { BrokerProcess } from '../../support/broker-process.js'
import { flood } from './flood.js'

export const OF_ADDRESS = 200
const TRUSTED = '127.1.0.0/16'
export const EVENTS = 60_000

/** Its data are in `data`. */
export const directory = mkdtempSync(join(tmpdir(), 'berth-bounds-'))
/** A broker with small bounds and as many events as a site writes in some weeks. */
export const broker = await BrokerProcess.start({
  directory,
  address: '127.0.0.1',
  port: 18_446,
  thinClientNetworks: [TRUSTED],
  simulatedHosts: true,
  settings: {
    'connections-per-address': OF_ADDRESS,
    'console-proxy-port': 18_447,
    'trusted-proxies': ['127.0.0.77'],
  },
})
await broker.stop()
writeEvents()
await broker.start()
export const admin = await broker.login()
t.teardown(async () => {
  await broker.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** As many as a site writes in some weeks, chained as the broker chains them. */
function writeEvents(): void {
  const database = new Database(join(directory, 'data', 'berth.sqlite'))
  const last = database.prepare('SELECT id, hash FROM event ORDER BY id DESC LIMIT 1').get() as {
    id: number
    hash: string
  }
  const insert = database.prepare(
    'INSERT INTO event (id, at, actor, address, action, object, result, detail, hash) VALUES ' +
      '(?, ?, ?, ?, ?, ?, ?, ?, ?)',
  )
  database.transaction(() => {
    let { id, hash } = last
    for (let index = 0; index < EVENTS; index++) {
      id += 1
      const row = { id, at: Date.now(), actor: 'ann', address: '', action: 'machine.power' }
      const rest = { object: `machine:pc-${String(index)}`, result: 'ok', detail: '{}' }
      hash = chainHash(hash, { ...row, ...rest })
      insert.run(...Object.values(row), ...Object.values(rest), hash)
    }
  })()
  database.close()
}

/** The delay of the broker's event loop since the last look, in ms. */
export async function loopDelay(): Promise<{ p99: number; max: number }> {
  const { text } = await admin.raw('GET', '/metrics')
  const of = (name: string): number =>
    1_000 *
    Number(
      new RegExp(`^berth_nodejs_eventloop_lag_${name}_seconds (\\S+)$`, 'm').exec(text)?.[1] ?? NaN,
    )
  return { p99: of('p99'), max: of('max') }
}

export async function newPerson(name: string): Promise<ApiClient> {
  await admin.post('/users', { name, password: 'correct horse battery' })
  return await loginOf(name)
}
export async function loginOf(name: string): Promise<ApiClient> {
  const { token } = await new ApiClient(broker.url, broker.ca).post<{ token: string }>('/login', {
    name,
    password: 'correct horse battery',
  })
  return new ApiClient(broker.url, broker.ca, token)
}

interface Refused {
  readonly from: string
  readonly path?: string
  readonly body?: (index: number) => unknown
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly count: number
}

/** Sends a request many times; returns how many answers had each status. */
export const posted = async ({
  path = '/api/v1/thin-clients/ask',
  ...more
}: Refused): Promise<Map<number, number>> => await flood(broker, { method: 'POST', path, ...more })

/** What reaches the bound of each row of the document. */
export type BoundRows = Readonly<Record<string, (t: Test) => Promise<void>>>
