import { createHash } from 'node:crypto'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { chainOldRows, verifyChain } from '../../../broker/audit/chain.js'
import { recordEvent } from '../../../broker/audit/store.js'
import { sqliteBlocks } from '../../../broker/store/migrations.js'
import { openStore } from '../../../broker/store/open.js'
import { inTransaction } from '../../../broker/store/transaction.js'
import { SimulatedBroker, temporaryDirectory } from '../../support/simulated-broker.js'
import { emptyDatabase } from '../../support/database.js'

interface Exported {
  readonly id: number
  readonly at: string
  readonly hash: string
  readonly actor: string
  readonly address: string
  readonly action: string
  readonly object: string
  readonly result: string
  readonly detail: unknown
}
const BY = { actor: 'alice', address: '10.0.0.1' }

t.test('many at once make one chain; a change, a gap and a cut show', async (t) => {
  const store = await openStore(await emptyDatabase())
  t.teardown(async () => {
    await store.destroy()
  })
  await chainOldRows(store)
  await Promise.all(
    Array.from({ length: 300 }, async (_, index) => {
      if (index % 3 === 0)
        await inTransaction(store, async (tx) => {
          await recordEvent(tx, BY, 'state.rebuild', `n:${index}`, { index })
        })
      else if (index % 3 === 1) await recordEvent(store, BY, 'state.rebuild', `n:${index}`)
      else
        await inTransaction(store, async (tx) => {
          await recordEvent(tx, BY, 'state.rebuild', `n:${index}`)
          throw new Error('taken back')
        }).catch(() => undefined)
    }),
  )
  const whole = await verifyChain(store)
  t.match(whole, { good: true, events: 200, fault: null })
  const head = whole.head?.hash ?? ''
  t.match(await verifyChain(store, head), { good: true })
  await store.deleteFrom('event').where('id', '=', 200).execute()
  t.match(
    await verifyChain(store),
    { good: true, events: 199 },
    'a cut at the end is seen only by its head',
  )
  t.match(await verifyChain(store, head), { good: false, fault: { id: 0, message: /cut off/ } })
  await store.updateTable('event').set({ actor: 'mallory' }).where('id', '=', 50).execute()
  t.match(await verifyChain(store), { good: false, events: 49, fault: { id: 50 } })
  await store.updateTable('event').set({ actor: 'alice' }).where('id', '=', 50).execute()
  await store.deleteFrom('event').where('id', '=', 70).execute()
  t.match(await verifyChain(store), { good: false, fault: { id: 71 } })
  await store.updateTable('event').set({ hash: null }).where('id', '=', 71).execute()
  t.match(await verifyChain(store), { good: false, fault: { id: 71 } })
})

t.test(
  'rows of version 1 are chained at the first start, and accounts and tokens keep what they had',
  async (t) => {
    const path = join(temporaryDirectory(), 'berth.sqlite')
    const [first = ''] = sqliteBlocks()
    const old = new Database(path)
    old.exec(first)
    old.pragma('user_version = 1')
    old.exec(`INSERT INTO account VALUES ('Admin', 'hash', 'admin', 1), ('watch', 'hash', 'observer', 2);
    INSERT INTO token VALUES ('h1', 'Admin', 'login 2026', 'admin', 1, 9, NULL),
      ('h2', 'Admin', 'ci', 'observer', 1, NULL, 5),
      ('h3', 'watch', 'own', 'observer', 1, NULL, NULL);
    INSERT INTO event (at, actor, address, action, object, result, detail)
      VALUES (1, 'admin', '', 'a', 'b', 'ok', '{}'), (2, 'admin', '', 'a', 'c', 'ok', '{}')`)
    old.close()
    const store = await openStore(path)
    t.teardown(async () => {
      await store.destroy()
    })
    t.match(await verifyChain(store), { good: false })
    await chainOldRows(store)
    await chainOldRows(store)
    await recordEvent(store, BY, 'state.rebuild', 'd')
    t.match(await verifyChain(store), { good: true, events: 3 })
    t.match(await store.selectFrom('account').selectAll().orderBy('name_key').execute(), [
      { name: 'Admin', name_key: 'admin', source: 'local', password_hash: 'hash', disabled: 0 },
      { name: 'watch' },
    ])
    t.same(await store.selectFrom('account_role').selectAll().orderBy('account').execute(), [
      { account: 'Admin', role: 'admin', source: 'local' },
      { account: 'watch', role: 'observer', source: 'local' },
    ])
    t.match(await store.selectFrom('token').selectAll().orderBy('hash').execute(), [
      { hash: 'h1', kind: 'login', scopes: null },
      { hash: 'h2', kind: 'program', scopes: 'observe', last_used_at: 5 },
      { hash: 'h3', scopes: 'observe' },
    ])
    await store.deleteFrom('account').where('name', '=', 'Admin').execute()
    t.equal(
      (await store.selectFrom('token').selectAll().execute()).length,
      1,
      'tokens go with their account',
    )
  },
)

t.test('filters, export that anybody can check, verify, and the head in the log', async (t) => {
  const lines: string[] = []
  const broker = await SimulatedBroker.start({
    log: pino(
      { level: 'info' },
      {
        write: (line: string) => {
          lines.push(line)
        },
      },
    ),
  })
  await broker.admin.post('/users', { name: 'ivy', password: 'a long password', roles: ['staff'] })
  await broker.admin.patch('/users/ivy', { roles: ['other'] })
  t.match(await broker.admin.get('/events?action=account.*&object=account:ivy'), {
    events: [
      {
        action: 'account.change',
        detail: { before: { roles: ['staff'] }, after: { roles: ['other'] } },
      },
      { action: 'account.create' },
    ],
  })
  t.match(await broker.admin.get('/events?actor=nobody'), { events: [] })
  t.match(await broker.admin.get(`/events?since=2100-01-01`), { events: [] })
  t.match(await broker.admin.raw('GET', '/api/v1/events?since=yesterday'), { status: 400 })
  const { text, headers } = await broker.admin.raw('GET', '/api/v1/events/export')
  t.match(headers, { 'content-type': /^application\/jsonl/ })
  const previous = hashesByHand(t, text)
  t.match(await broker.admin.post('/events/verify', { head: previous }), {
    good: true,
    head: { hash: previous },
  })
  t.match(await broker.admin.post('/events/verify', { head: 'f'.repeat(64) }), { good: false })
  await broker.remove()
  const told = lines
    .map((line) => JSON.parse(line) as { msg: string; hash: string })
    .filter(({ msg }) => msg === 'audit head')
    .at(-1)
  t.equal(told?.hash, previous, 'the last head is in the log when the broker has stopped')
})

function hashesByHand(t: Test, text: string) {
  let previous = '0'.repeat(64)
  for (const line of text.trim().split('\n')) {
    const event = JSON.parse(line) as Exported
    const form = JSON.stringify([
      event.id,
      Date.parse(event.at),
      event.actor,
      event.address,
      event.action,
      event.object,
      event.result,
      JSON.stringify(event.detail),
    ])
    t.equal(
      createHash('sha256').update(`${previous}\n${form}`).digest('hex'),
      event.hash,
      `event ${event.id}`,
    )
    previous = event.hash
  }
  return previous
}
