import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { pino } from 'pino'
import { BERTH } from '../broker/audit/store.js'
import { Claims } from '../broker/assignments/claims.js'
import { Hosts } from '../broker/assignments/hosts.js'
import { Events } from '../broker/events/bus.js'
import type { Hypervisors } from '../broker/hypervisors/service.js'
import type { Observer } from '../broker/machines/observer.js'
import { Occupancy } from '../broker/occupancy/occupancy.js'
import { openStore, type Store } from '../broker/store/open.js'
import { ROOT } from '../test/support/broker-process.js'
import { PostgresqlServer } from '../test/support/postgresql-server.js'
import { fill, HOSTS } from './claims-pool.js'
import type { BenchOptions, Places } from './places.js'
import { type Comparison, median, milliseconds, type Report } from './report.js'

const LEAST_A_SECOND = 1_000
const MOST_GROWTH = 2

/**
 * A claim and a release, in the broker's own store on this machine's disk, against the bare
 * transactions of SQLite; what the size of a pool costs; and the same on PostgreSQL.
 */
export async function measureClaims(
  _places: Places,
  { small, log }: BenchOptions,
): Promise<Report> {
  const rounds = small ? 200 : 3_000
  const sizes = small ? ([100, 1_000] as const) : ([100, 10_000] as const)
  log('Claiming from a small pool and from a large one …')
  const few = await onSqlite(sizes[0], rounds)
  const many = await onSqlite(sizes[1], rounds)
  log('Claiming on PostgreSQL …')
  const postgresql = await onPostgresql(sizes[0], rounds)
  const bare = bareTimes(sizes[0], rounds)
  const rate = 1_000 / bothOf(few)
  return {
    name: 'claims',
    title: `Claim and release, ${rounds.toLocaleString('en')} times (p50; SQLite in WAL mode, synchronous=FULL)`,
    samples: { few: few.claims, many: many.claims, bare },
    note:
      'Each claim and each release is on the disk, with its event in the audit chain, before ' +
      'it is answered; those that come at one moment share the wait for the disk. The other ' +
      'side of the first line is two bare transactions of SQLite with one guarded UPDATE and ' +
      'one INSERT each, on the same disk. One after another that ' +
      `is ${Math.round(rate).toLocaleString('en')} claim+release a second. PostgreSQL 15 is on the ` +
      'same machine, by its unix socket, with its own settings (fsync and synchronous_commit on).',
    comparisons: [...comparisonsOf(few, many, bare, sizes), ...besideSqlite(postgresql, few)],
  }
}

function comparisonsOf(
  few: ClaimTimes,
  many: ClaimTimes,
  bare: readonly number[],
  sizes: readonly [number, number],
): Comparison[] {
  const { throughput } = few
  const both = bothOf(few)
  const growth = median(many.claims) / median(few.claims)
  return [
    {
      what: 'claim + release, each awaited',
      berth: milliseconds(both),
      otherSide: milliseconds(median(bare)),
      ratio: both / median(bare),
      target: '',
      met: null,
    },
    {
      what: 'claim + release a second, 32 at a time',
      berth: Math.round(throughput).toLocaleString('en'),
      otherSide: `target ${LEAST_A_SECOND.toLocaleString('en')}`,
      ratio: throughput / LEAST_A_SECOND,
      target: '≥ 1',
      met: throughput >= LEAST_A_SECOND,
    },
    {
      what: `one claim: pool of ${sizes[1].toLocaleString('en')} against ${sizes[0]}`,
      berth: milliseconds(median(many.claims)),
      otherSide: milliseconds(median(few.claims)),
      ratio: growth,
      target: `≤ ${MOST_GROWTH}`,
      met: growth <= MOST_GROWTH,
    },
  ]
}

function besideSqlite(postgresql: ClaimTimes, sqlite: ClaimTimes): Comparison[] {
  return [
    {
      what: 'claim + release, each awaited: PostgreSQL against SQLite',
      berth: milliseconds(bothOf(postgresql)),
      otherSide: milliseconds(bothOf(sqlite)),
      ratio: bothOf(postgresql) / bothOf(sqlite),
      target: '',
      met: null,
    },
    {
      what: 'claim + release a second, 32 at a time: PostgreSQL against SQLite',
      berth: Math.round(postgresql.throughput).toLocaleString('en'),
      otherSide: Math.round(sqlite.throughput).toLocaleString('en'),
      ratio: postgresql.throughput / sqlite.throughput,
      target: '',
      met: null,
    },
  ]
}

/** Milliseconds of a claim with its release. */
function bothOf({ claims, releases }: ClaimTimes): number {
  return median(claims) + median(releases)
}

interface ClaimTimes {
  readonly claims: number[]
  readonly releases: number[]
  /** Claims and releases a second, many at a time. */
  readonly throughput: number
}

async function onSqlite(size: number, rounds: number): Promise<ClaimTimes> {
  const directory = mkdtempSync(join(ROOT, 'bench-out', 'claims-'))
  try {
    return await claimTimes(join(directory, 'berth.sqlite'), size, rounds)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function onPostgresql(size: number, rounds: number): Promise<ClaimTimes> {
  const server = new PostgresqlServer().start(
    '-cfsync=on',
    '-csynchronous_commit=on',
    '-cfull_page_writes=on',
  )
  try {
    return await claimTimes(await server.create('claims'), size, rounds)
  } finally {
    server.remove()
  }
}

/**
 * Milliseconds of each claim and each release in a pool of this size, half of it taken, in the
 * database at `where`.
 */
async function claimTimes(where: string, size: number, rounds: number): Promise<ClaimTimes> {
  const store = await openStore(where)
  try {
    await fill(store, size)
    const claims = new Claims({
      store,
      events: new Events(pino({ level: 'silent' })),
      now: Date.now,
      hosts: hostsOf(store),
    })
    for (let index = 0; index < size / 2; index += 1)
      await claims.claim('p', `user:other-${index}`, BERTH, false)
    const times = { claims: [] as number[], releases: [] as number[] }
    for (let round = 0; round < rounds; round += 1)
      await claimAndRelease(claims, `user:me-${round}`, times)
    const ignored = { claims: [], releases: [] }
    const startMs = performance.now()
    let next = 0
    await Promise.all(
      Array.from({ length: 32 }, async () => {
        while (next < rounds) await claimAndRelease(claims, `user:many-${next++}`, ignored)
      }),
    )
    return { ...times, throughput: (rounds / (performance.now() - startMs)) * 1_000 }
  } finally {
    await store.destroy()
  }
}

async function claimAndRelease(
  claims: Claims,
  holder: string,
  times: { claims: number[]; releases: number[] },
): Promise<void> {
  const startMs = performance.now()
  const { machineId } = await claims.claim('p', holder, BERTH, false)
  const claimedMs = performance.now()
  const machine = { id: machineId ?? '', name: machineId ?? '' }
  await claims.release(machine, BERTH, { force: false, because: 'benchmark' })
  times.claims.push(claimedMs - startMs)
  times.releases.push(performance.now() - claimedMs)
}

/** Ten hosts that are up and equally full. */
function hostsOf(store: Store): Hosts {
  const hypervisors = {
    names: () => Array.from({ length: HOSTS }, (_, index) => `hv${index}`),
    row: () => ({ maintenance: 0 }),
    link: () => ({ status: () => ({ state: 'up', facts: { memory_mib: 131_072 } }) }),
  }
  return new Hosts({
    store,
    events: new Events(pino({ level: 'silent' })),
    now: Date.now,
    graceMs: 60_000,
    hypervisors: hypervisors as unknown as Hypervisors,
    observer: {
      occupancy: new Occupancy({ monotonicMs: () => performance.now(), maxAgeMs: 120_000 }),
    } as Observer,
  })
}

/** Milliseconds of two bare transactions. */
function bareTimes(size: number, rounds: number): number[] {
  const directory = mkdtempSync(join(ROOT, 'bench-out', 'claims-bare-'))
  const database = new Database(join(directory, 'bare.sqlite'))
  try {
    for (const pragma of ['journal_mode = WAL', 'synchronous = FULL']) database.pragma(pragma)
    database.exec(
      'CREATE TABLE desk (name TEXT PRIMARY KEY, holder TEXT); CREATE INDEX free ON desk ' +
        '(holder, name); CREATE TABLE event (id INTEGER PRIMARY KEY, what TEXT)',
    )
    const insert = database.prepare('INSERT INTO desk VALUES (?, NULL)')
    database.transaction(() => {
      for (let index = 0; index < size; index += 1) insert.run(`p-${index}`)
    })()
    const take = database.prepare(
      'UPDATE desk SET holder = ? WHERE name = (SELECT name FROM desk WHERE holder IS NULL ' +
        'ORDER BY name LIMIT 1) AND holder IS NULL',
    )
    const give = database.prepare('UPDATE desk SET holder = NULL WHERE holder = ?')
    const note = database.prepare('INSERT INTO event (what) VALUES (?)')
    return Array.from({ length: rounds }, (_, round) => {
      const startMs = performance.now()
      database.transaction(() => {
        take.run(`me-${round}`)
        note.run('claim')
      })()
      database.transaction(() => {
        give.run(`me-${round}`)
        note.run('release')
      })()
      return performance.now() - startMs
    })
  } finally {
    database.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
