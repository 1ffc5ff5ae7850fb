import Database from 'better-sqlite3'
import { join } from 'node:path'
import t from 'tap'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { ROUTES } from '../api/routes.js'
import type { ApiClient } from '../../support/api-client.js'

// Every statement that the broker issues is planned on tables as large as years make them: none may
// read a large table from end to end.
t.setTimeout(600_000)
const JOBS = 500_000
const EVENTS = 1_000_000
/** What grows with time, not with the size of the site. */
const LARGE = [
  'job',
  'job_target',
  'job_step',
  'event',
  'history_minute',
  'login_failure',
  'thin_client_order',
]

const texts = new Set<string>()
const prepare = Database.prototype.prepare
Database.prototype.prepare = function (this: Database.Database, text: string) {
  texts.add(text)
  return prepare.call(this, text)
} as typeof prepare

function prepareOn(database: Database.Database, text: string): Database.Statement<unknown[]> {
  return prepare.call(database, text)
}

const broker = await SimulatedBroker.start({ hosts: 2 })
t.teardown(async () => {
  Database.prototype.prepare = prepare
  await broker.remove()
})

t.test('the broker is used in every way', async (t) => {
  const { admin } = broker
  await broker.addHypervisors()
  const ok = async (path: string, body: unknown): Promise<void> => {
    await admin.done(path, body)
  }
  await ok('/machines', { name: 'src', type: 'source', hypervisors: ['hv1'], network: 'none' })
  await ok('/machines', {
    name: 'base',
    type: 'initial',
    parent: 'src',
    hypervisors: ['hv1'],
    network: 'none',
  })
  await ok('/machines/base/copy', {})
  await ok('/machines', {
    name: 'pc-{n}',
    type: 'vdi',
    parent: 'base',
    hypervisors: ['hv2'],
    count: 3,
    network: 'none',
  })
  await ok('/machines/base/populate', {})
  await ok('/pools', { name: 'lab', from: 'base', size: 2 })
  await admin.post('/users', { name: 'ann', password: 'correct horse battery' })
  await admin.post('/pools/lab/assign', { user: 'ann', waitMs: 5_000 })
  await ok('/machines/pc-1/power', { action: 'start' })
  await admin.ended((await admin.post<{ job: string }>('/hypervisors/hv1/check')).job)
  const jobs = await admin.get<{ jobs: Array<{ id: string }> }>('/jobs')
  const values: Readonly<Record<string, string>> = {
    name: 'lab',
    id: jobs.jobs[0]?.id ?? '',
    file: 'x',
    provider: 'x',
    number: '1',
  }
  await getEveryRoute(values, admin)
  await askWithEveryFilter(admin)
  await admin.post('/events/verify', {})
  t.ok(texts.size > 150, `${texts.size} statements`)
})

async function getEveryRoute(
  values: Readonly<Record<string, string>>,
  admin: ApiClient,
): Promise<void> {
  for (const [method, path] of ROUTES) {
    if (method !== 'GET' || /live|events\/?$|screen|port|export|thumbnail|display/.test(path))
      continue
    for (const name of ['lab', 'base', 'hv1', 'ann']) {
      const filled = path.replace(/:(\w+)/g, (_, key: string) =>
        key === 'name' ? name : (values[key] ?? 'x'),
      )
      await admin.raw('GET', filled)
    }
  }
}

async function askWithEveryFilter(admin: ApiClient): Promise<void> {
  for (const filter of [
    'actor=admin',
    'actor=ad*',
    'object=machine:*',
    'action=job.*',
    'since=2026-01-01T00:00:00Z',
    'actor=admin&since=2026-01-01T00:00:00Z&until=2027-01-01T00:00:00Z',
    'before=100',
    'object=machine:pc-1&action=job.*',
  ])
    await admin.get(`/events?${filter}`)
  for (const filter of [
    'state=running',
    'kind=power',
    'subject=lab',
    'kind=check&subject=hv1',
    'limit=5',
  ])
    await admin.get(`/jobs?${filter}`)
}

t.test('no statement reads a large table from end to end, nor sorts one', async (t) => {
  const database = new Database(join(broker.directory, 'large.sqlite'))
  database.exec(`attach '${join(broker.directory, 'data', 'berth.sqlite')}' as live`)
  for (const { sql } of prepareOn(
    database,
    "select sql from live.sqlite_master where sql is not null and name not like 'sqlite_%' order by type = 'index'",
  ).all() as Array<{ sql: string }>)
    database.exec(sql)
  database.exec('detach live; pragma foreign_keys = off')
  fill(database)
  const faults: string[] = []
  for (const text of texts) {
    if (!/^\s*(select|update|delete|insert|with)\b/i.test(text)) continue
    for (const { detail } of plan(database, text)) {
      const scanned = /^SCAN (\w+)(?! USING| VIRTUAL)/.exec(detail)?.[1]
      if (scanned !== undefined && LARGE.includes(scanned) && !isNewestOf(text))
        faults.push(`${detail}: ${text}`)
    }
    const lines = plan(database, text).map(({ detail }) => detail)
    const isLarge = LARGE.some((table) =>
      new RegExp(`\\b${table}\\b`).test(text.replaceAll('"', ' ')),
    )
    if (
      isLarge &&
      lines.some((line) => /TEMP B-TREE FOR ORDER BY/.test(line)) &&
      /limit/i.test(text)
    )
      faults.push(`sorts: ${text}`)
  }
  t.same(faults, [])
  database.close()
})

/** The first rows in the order of the primary key, whatever they are: reading stops after them. */
function isNewestOf(text: string): boolean {
  return /order by "(id|at)"( desc)? limit \?$/.test(text) && !/\bwhere\b/.test(text)
}

function plan(database: Database.Database, text: string): Array<{ detail: string }> {
  const statement = prepareOn(database, `explain query plan ${text}`)
  const values = Array.from({ length: (text.match(/\?/g) ?? []).length }, () => 1)
  return statement.all(...values) as Array<{ detail: string }>
}

function fill(database: Database.Database): void {
  database.exec(`
    with recursive n (i) as (select 1 union all select i + 1 from n where i < ${JOBS})
    insert into job (id, kind, subject, state, message, input, created_by, created_at, finished_at)
      select 'j' || i, case i % 4 when 0 then 'populate' else 'power' end, 'pc-' || (i % 1000),
        case when i > ${JOBS - 20} then 'running' else 'succeeded' end, '', '{}', 'admin', i,
        case when i > ${JOBS - 20} then null else i + 1 end
      from n;
    with recursive n (i) as (select 1 union all select i + 1 from n where i < ${EVENTS})
    insert into event (id, at, actor, address, action, object, result, detail, hash)
      select i, i, 'person-' || (i % 500), '', 'job.power', 'machine:pc-' || (i % 1000), 'ok', '{}', 'x' from n;
  `)
}
