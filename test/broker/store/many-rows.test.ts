import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { choicesOf } from '../../../broker/assignments/choices.js'
import { expiring } from '../../../broker/assignments/expiring.js'
import { listDesktops } from '../../../broker/assignments/listing.js'
import { allObjectFacts, objectFacts } from '../../../broker/assignments/object-facts.js'
import { offersFor } from '../../../broker/assignments/offers.js'
import { endOverstaying } from '../../../broker/consoles/overstaying.js'
import { Tunnels } from '../../../broker/consoles/tunnels.js'
import { figuresOfHosts } from '../../../broker/hypervisors/figures.js'
import { listGenerations } from '../../../broker/images/store.js'
import { readJobs } from '../../../broker/jobs/store.js'
import { listMachines, requireMachine } from '../../../broker/machines/store.js'
import { stayAnswer } from '../../../broker/may-stay.js'
import { Usage } from '../../../broker/occupancy/usage.js'
import { Documents } from '../../../broker/pools/documents.js'
import { listMembers, listPools } from '../../../broker/pools/listing.js'
import { requirePool } from '../../../broker/pools/store.js'
import { poolsFor } from '../../../broker/pools/views.js'
import { openStore, type Store } from '../../../broker/store/open.js'
import { loginsWithSeats } from '../../../broker/thin-clients/logins-with-seats.js'
import { acceptedSeekers } from '../../../broker/thin-clients/seekers.js'
import { Accounts } from '../../../broker/users/accounts.js'
import type { Caller } from '../../../broker/users/caller.js'
import { Grants } from '../../../broker/users/grants.js'
import { LoginLimits } from '../../../broker/users/login-limits.js'
import { BusyTurns } from '../../support/busy-turns.js'
import { fillSite } from '../../support/many-rows.js'
import { Statements } from '../../support/statements.js'
import { permissionsOf } from '../assignments/pool-grants.js'

// What makes a list, or looks after many at once, asks the database as often for a thousand as for
// ten: else each look of a big site is thousands of questions.
const FEW = 10
const MANY = 1_000
/** Of a big site; a list of so many must not keep everybody else waiting. */
const VERY_MANY = 10_000
const TRIES = 3
const LONGEST_PAUSE_MS = 250
/** Long lists are read in parts of some hundred rows. */
const PARTS = 16

const log = pino({ level: 'silent' })
const statements = new Statements()
t.teardown(() => {
  statements.stop()
})

async function siteOf(t: Test, count: number): Promise<Store> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-rows-'))
  const path = join(directory, 'berth.sqlite')
  const store = await openStore(path)
  const database = new Database(path)
  fillSite(database, { count, hosts: count, generations: count })
  database.close()
  t.teardown(async () => {
    await store.destroy()
    rmSync(directory, { recursive: true, force: true })
  })
  return store
}

const nobody = { viewers: [], unknown: null }
const person = {
  actor: 'person-3',
  key: 'person-3',
  role: 'user',
  accountRole: 'user',
  roles: ['staff'],
  scopes: null,
  address: '',
} as unknown as Caller
const admin = {
  ...person,
  actor: 'admin',
  key: 'admin',
  role: 'admin',
  accountRole: 'admin',
} as const

/** What is done, and gives how many it is of. */
const LISTS: Readonly<Record<string, (store: Store) => Promise<number>>> = {
  pools: async (store) => (await listPools(store, {})).length,
  'pools as somebody sees them': async (store) => {
    const pools = await listPools(store, {})
    return (await poolsFor({ store, permissions: permissionsOf(store) }, person, pools)).length
  },
  'pools as documents': async (store) => {
    const documents = new Documents({ store } as never)
    return (await documents.export()).split('kind: Pool').length - 1
  },
  'what an administrator may choose': async (store) =>
    (await choicesOf({ store, permissions: permissionsOf(store) }, admin, [])).length,
  'what an administrator is offered': async (store) => {
    const offers = await offersFor(
      {
        store,
        permissions: permissionsOf(store),
        startTimes: { expectedMs: async () => null } as never,
        sessions: async () => [],
        desktops: async () => [],
      },
      admin,
    )
    return offers.length
  },
  jobs: async (store) =>
    (await readJobs(store, () => ({ done: 0, total: 0 }), { limit: MANY })).length,
  generations: async (store) =>
    (await listGenerations(store, await requireMachine(store, 'base'))).length,
  hypervisors: async (store) => (await figuresOfHosts(store)).machines.size,
  machines: async (store) => (await listMachines(store, () => nobody, { type: 'vdi' })).length,
  desktops: async (store) =>
    (await listDesktops(store, {}, Date.now(), { watchers: () => [] })).length,
  people: async (store) => {
    const limits = new LoginLimits(store, Date.now)
    return (await new Accounts({ store, limits, releaseDesktops: async () => {} }).list()).length
  },
  grants: async (store) => {
    const facts = { facts: objectFacts(store), allFacts: allObjectFacts(store) }
    return (await new Grants({ store, ...facts }).list({})).length
  },
  'devices that clients.xml may mean': async (store) =>
    (await acceptedSeekers(store, () => undefined)).length,
  'logins at devices': async (store) => {
    let count = 0
    for await (const { seat } of loginsWithSeats(store)) if (seat !== null) count += 1
    return count
  },
  'desktops that expire': async (store) => (await expiring(store)).length,
  'machines in use': async (store) => {
    const occupancy = { use: () => ({ viewers: ['10.0.0.1'], unknown: null }) }
    const usage = new Usage({ store, occupancy, now: Date.now, releaseAfterMs: 1 })
    const ids = await store.selectFrom('machine').select('id').where('type', '=', 'vdi').execute()
    return (await usage.reasons(ids.map(({ id }) => id))).size
  },
  'consoles that may stay': async (store) => {
    let asked = 0
    const mayStay = stayAnswer(store)
    await endOverstaying(
      {
        store,
        log,
        mayStay: async (stays) => {
          const answers = await mayStay(stays)
          asked = answers.filter(Boolean).length
          return answers
        },
        mayTake: async () => true,
        loginLives: async () => true,
      },
      new Tunnels(Date.now),
      async () => await Promise.reject(new Error('everybody may stay')),
    )
    return asked
  },
}

t.test('no list asks the database once for each of its rows', async (t) => {
  const [few, many] = [await siteOf(t, FEW), await siteOf(t, MANY)]
  for (const [what, list] of Object.entries(LISTS)) {
    statements.take()
    t.ok((await list(few)) >= FEW, `${what}: ten`)
    const ofFew = statements.take().length
    const found = await list(many)
    const ofMany = statements.take().length
    t.ok(found >= MANY, `${what}: a thousand, ${found}`)
    t.ok(ofMany <= ofFew + PARTS, `${what}: ${ofFew} statements for ten, ${ofMany} for a thousand`)
  }
})

t.test('while a long list is made, others go on', async (t) => {
  const store = await siteOf(t, VERY_MANY)
  const turns = new BusyTurns()
  const ofOnePool: typeof LISTS = {
    'members of a pool': async () => {
      await store.updateTable('pool_member').set({ pool_id: 'pool-0' }).execute()
      return (await listMembers(store, await requirePool(store, 'pool-0'), () => nobody)).length
    },
  }
  for (const [what, list] of Object.entries({ ...LISTS, ...ofOnePool })) {
    await list(store) // what is done once, such as compiling, is nobody's list
    let longestMs = Infinity
    // The list's own pauses are there each time; a collection of garbage falls into some of them.
    for (let time = 0; time < TRIES && longestMs >= LONGEST_PAUSE_MS; time++) {
      turns.start()
      await list(store)
      longestMs = await turns.stop()
    }
    t.ok(longestMs < LONGEST_PAUSE_MS, `${what}: at most ${longestMs.toFixed(0)} ms in one go`)
  }
})
