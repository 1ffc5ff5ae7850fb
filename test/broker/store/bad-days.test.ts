import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { mustRun } from '../../fleet/command.js'
import type { ApiClient } from '../../support/api-client.js'
import { BrokerProcess } from '../../support/broker-process.js'
import { until } from '../../support/until.js'

// One broker in a process of its own, on a disk of its own, lives through all of it: each test ends
// with it working, under the same process id.
t.setTimeout(360_000)
const DISK_BYTES = 24 * 1024 * 1024
const PORT = 18_443

const directory = mkdtempSync(join(tmpdir(), 'berth-bad-days-'))
// The log lies elsewhere: the test writes it.
const data = join(directory, 'data')
mkdirSync(data)
await mustRun(['mount', '-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'berth-bad-days', data])
const broker = await BrokerProcess.start({
  directory,
  address: '127.0.0.1',
  port: PORT,
  simulatedHosts: true,
  settings: { 'clients-xml': join(data, 'clients.xml') },
})
t.teardown(async () => {
  await broker.kill()
  await mustRun(['umount', data])
  rmSync(directory, { recursive: true })
})
const admin = await broker.login()
const { pid } = broker
let people = 0
const order = () =>
  admin.raw('POST', '/api/v1/users', { name: `p${people++}`, password: 'correct horse' })

async function readiness(client: ApiClient = admin): Promise<{ status: number; body: unknown }> {
  return await client.raw('GET', '/readyz')
}

/** It works again by itself: it takes orders, says so, and nothing that it accepted is lost. */
async function recovers(t: Test, accepted: readonly string[]): Promise<void> {
  await until(async () => (await order()).status < 300, {
    withinMs: 15_000,
    what: 'orders are taken',
  })
  await until(async () => (await readiness()).status === 200, { withinMs: 15_000, what: 'ready' })
  const { users } = await admin.get<{ users: Array<{ name: string }> }>('/users')
  for (const name of accepted)
    t.ok(
      users.some((one) => one.name === name),
      `${name} is there`,
    )
  t.equal(broker.pid, pid)
  t.equal((await admin.raw('GET', '/healthz')).status, 200)
}

/** The longest of answers to /healthz while something goes on. */
async function slowestHealth(work: Promise<unknown>): Promise<number> {
  let worst = 0
  let isDone = false
  const asking = (async () => {
    while (!isDone) {
      const startMs = performance.now()
      await admin.raw('GET', '/healthz')
      worst = Math.max(worst, performance.now() - startMs)
    }
  })()
  await work
  isDone = true
  await asking
  return worst
}

async function accept(count: number): Promise<string[]> {
  const names: string[] = []
  for (let number = 0; number < count; number++) {
    const answer = await order()
    if (answer.status < 300) names.push((answer.body as { name: string }).name)
  }
  return names
}

t.test('another program holds the write lock for longer than anybody waits', async (t) => {
  const accepted = await accept(3)
  const other = new Database(join(data, 'berth.sqlite'))
  other.exec('begin immediate')
  const orders = Promise.all(Array.from({ length: 10 }, order))
  const worst = await slowestHealth(orders)
  for (const { status, body } of await orders) {
    t.equal(status, 503)
    t.match(body, { code: 'store_busy' })
  }
  t.ok(worst < 2_000, `the event loop turned: /healthz took ${Math.round(worst)} ms at most`)
  await until(
    async () => {
      const { status, body } = await readiness()
      t.match({ status, body }, { status: 503, body: { status: 'degraded' } })
      return (body as { reasons: string[] }).reasons.includes('store_busy')
    },
    { withinMs: 30_000, what: 'the reason is told, though others wait for the lock, too' },
  )
  other.exec('rollback')
  other.close()
  await recovers(t, accepted)
})

t.test('the disk is full', async (t) => {
  const accepted = await accept(3)
  const ballast = join(data, 'ballast')
  const { bavail, bsize } = statfsSync(data)
  writeFileSync(ballast, Buffer.alloc(bavail * bsize - bsize))
  await until(
    async () => {
      const answer = await order()
      if (answer.status < 300) accepted.push((answer.body as { name: string }).name)
      else t.match(answer, { status: 507, body: { code: 'store_full' } })
      return answer.status === 507
    },
    { withinMs: 20_000, everyMs: 0, what: 'an order finds the disk full' },
  )
  await until(async () => (await readiness()).status === 503, {
    withinMs: 10_000,
    what: 'degraded',
  })
  t.match((await readiness()).body, { status: 'degraded', reasons: ['store_full'] })
  t.equal((await admin.raw('GET', '/api/v1/machines')).status, 200, 'what is asked for is answered')
  const file = await admin.raw('PUT', '/api/v1/clients-xml', {
    text: `<thin-clients><!-- ${'x'.repeat(200_000)} --></thin-clients>`,
  })
  t.equal(file.status, 507, file.text)
  t.same(
    readdirSync(data).filter((name) => name.endsWith('.new')),
    [],
    'nothing half written stays',
  )
  rmSync(ballast)
  await recovers(t, accepted)
  t.notMatch(readFileSync(broker.logFile, 'utf8'), /cannot rollback/, 'the log has the first error')
})

t.test('there are no file descriptors left', async (t) => {
  const accepted = await accept(3)
  const open = readdirSync(`/proc/${pid}/fd`).length
  await mustRun(['prlimit', '--pid', String(pid), `--nofile=${open}:`])
  const refused = await Promise.allSettled(Array.from({ length: 20 }, connectOnce))
  t.ok(
    refused.some((one) => one.status === 'rejected'),
    'some are turned away',
  )
  await mustRun(['prlimit', '--pid', String(pid), '--nofile=1024:'])
  await recovers(t, accepted)
})

/** A connection of its own, for which the broker needs a descriptor. */
async function connectOnce(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const asked = request(`${broker.url}/healthz`, { ca: broker.ca, agent: false, timeout: 3_000 })
    asked.on('response', (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer')))
    asked.on('error', reject)
    asked.end()
  })
}
