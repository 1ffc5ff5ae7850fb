import { pino } from 'pino'
import t, { type Test } from 'tap'
import { BERTH, recordEvent } from '../../../broker/audit/store.js'
import { DAY_MS, KEPT_MS, MINUTE_MS, type Sample } from '../../../broker/history/policy.js'
import { SiteHistory } from '../../../broker/history/service.js'
import {
  oldestSample,
  pruneSamples,
  putSample,
  samplesSince,
} from '../../../broker/history/store.js'
import { openStore, type Store } from '../../../broker/store/open.js'
import { inTransaction } from '../../../broker/store/transaction.js'
import { emptyDatabase } from '../../support/database.js'

const NOON = Date.UTC(2026, 10, 21, 12)
const QUIET: Omit<Sample, 'at'> = {
  sessions: 0,
  assigned: 0,
  waiting: 0,
  longestWaitMs: 0,
  starts: 0,
  startMs: [],
  waitedMs: [],
}

interface Site {
  readonly store: Store
  readonly tables: string[]
  readonly clock: { now: number }
  readonly history: SiteHistory
}

/** A store with a history of its own, whose clock stands at noon; `again` is the same after a restart. */
async function site(t: Test): Promise<Site & { again: () => SiteHistory }> {
  const tables: string[] = []
  const store = await openStore(await emptyDatabase(), {
    onWrite: (table) => {
      tables.push(table)
    },
  })
  t.teardown(async () => {
    await store.destroy()
  })
  const clock = { now: NOON }
  const again = (): SiteHistory =>
    new SiteHistory({ store, log: pino({ level: 'silent' }), now: () => clock.now })
  return { store, tables, clock, history: again(), again }
}

t.test(
  'one sample a minute, also over restarts; the minutes of a pause stay unknown',
  async (t) => {
    const { store, clock, history, again } = await site(t)
    await history.sample()
    clock.now += 20_000
    await again().sample()
    t.same(
      (await samplesSince(store, 0)).map(({ at }) => at),
      [NOON - MINUTE_MS],
      'the same minute is entered once',
    )
    t.notOk(await putSample(store, { ...QUIET, at: NOON - MINUTE_MS, starts: 9 }))
    t.equal((await samplesSince(store, 0))[0]?.starts, 0, 'and stays as it was')
    clock.now = NOON + 10 * MINUTE_MS + 1
    const restarted = again()
    await restarted.sample()
    clock.now -= 30_000
    await restarted.sample()
    t.same(
      (await samplesSince(store, 0)).map(({ at }) => at),
      [NOON - MINUTE_MS, NOON + 8 * MINUTE_MS, NOON + 9 * MINUTE_MS],
    )
    const { samples, sessionsMost, begins } = await again().of('day')
    t.same(samples.slice(-3), [1, 0, 2], 'a point of which nothing is known lies between')
    t.same(sessionsMost.slice(-3), [0, null, 0])
    t.equal(begins, new Date(NOON - MINUTE_MS).toISOString())
  },
)

t.test('eight days are kept; what is older goes in small parts', async (t) => {
  const { store, clock, history } = await site(t)
  const old = NOON - KEPT_MS - DAY_MS
  await inTransaction(store, async (tx) => {
    for (let minute = 0; minute < 500; minute++)
      await putSample(tx, { ...QUIET, at: old + minute * MINUTE_MS })
  })
  await putSample(store, { ...QUIET, at: NOON - KEPT_MS + DAY_MS })
  await history.sample()
  t.equal(await oldestSample(store), old + 200 * MINUTE_MS, 'not all at once')
  for (let minute = 0; minute < 3; minute++) {
    clock.now += MINUTE_MS
    await history.sample()
  }
  t.equal(await oldestSample(store), NOON - KEPT_MS + DAY_MS, 'what is young enough stays')
  await pruneSamples(store, 0)
  t.equal((await samplesSince(store, 0)).length, 5)
})

t.test(
  'a new sample is told under its own topic, and answers are made once for all until then',
  async (t) => {
    const { store, tables, clock, history } = await site(t)
    await history.sample()
    t.ok(tables.includes('history_minute'))
    const first = await history.of('day')
    await putSample(store, { ...QUIET, at: NOON - 3 * MINUTE_MS, starts: 4 })
    t.equal(await history.of('day'), first, 'the same answer')
    clock.now += MINUTE_MS
    await history.sample()
    const next = await history.of('day')
    t.same(
      [
        next.samples.reduce((sum, count) => sum + count, 0),
        next.starts.reduce<number>((sum, count) => sum + (count ?? 0), 0),
      ],
      [3, 4],
    )
  },
)

t.test(
  'starts are those of the journal, waits those of the audit log, each in its minute',
  async (t) => {
    const { store, clock, history } = await site(t)
    const at = NOON - MINUTE_MS
    const job = async (
      id: string,
      kind: string,
      startedAt: number,
      steps: ReadonlyArray<readonly [string, string, number, string]>,
    ): Promise<void> => {
      await putJob(store, id, kind, startedAt, steps)
    }
    await job('alone', 'power', at - 5_000, [['a', 'start', at + 7_000, '']])
    await job('ran-already', 'power', at, [['b', 'start', at + 1, 'It was running already.']])
    await job('many', 'power', at, [
      ['c', 'start', at + 1, ''],
      ['d', 'start', at + 50_000, ''],
      ['e', 'start', NOON, ''],
    ])
    await job('stop', 'power', at, [['f', 'poweroff', at + 1, '']])
    await job('earlier', 'power', at - 9_000, [['g', 'start', at - 1, '']])
    await recordEvent(store, BERTH, 'desktop.assign', 'machine:a', { waitedMs: 4_000 })
    await recordEvent(store, BERTH, 'desktop.assign', 'machine:b', { pool: 'desks' })
    await recordEvent(store, BERTH, 'desktop.assign', 'machine:c', { waitedMs: 9_000 })
    for (const [id, when] of [
      [1, at],
      [2, at + 1],
      [3, NOON],
    ] as const)
      await store.updateTable('event').set({ at: when }).where('id', '=', id).execute()
    await history.sample()
    const [sample] = await samplesSince(store, 0)
    t.same(sample, { ...QUIET, at, starts: 3, startMs: [12_000], waitedMs: [4_000] })
    clock.now += MINUTE_MS
    await history.sample()
    t.same((await samplesSince(store, NOON))[0], {
      ...QUIET,
      at: NOON,
      starts: 1,
      waitedMs: [9_000],
    })
  },
)

async function putJob(
  store: Store,
  id: string,
  kind: string,
  startedAt: number,
  steps: readonly (readonly [string, string, number, string])[],
): Promise<void> {
  await store
    .insertInto('job')
    .values({
      id,
      kind,
      subject: 'm',
      state: 'succeeded',
      input: '{}',
      created_by: 'admin',
      owner: null,
      lease_until: null,
      created_at: startedAt,
      started_at: startedAt,
      finished_at: null,
    })
    .execute()
  for (const [position, [name, step, stepAt, result]] of steps.entries()) {
    await store
      .insertInto('job_target')
      .values({ job_id: id, name, position, state: 'done' })
      .execute()
    await store
      .insertInto('job_step')
      .values({ job_id: id, target: name, step, result: JSON.stringify(result), at: stepAt })
      .execute()
  }
}
