import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { BrokerProcess } from '../../support/broker-process.js'
import { until } from '../../support/until.js'

/*
 * The broker's file system becomes read-only, and later writable again, while the broker runs. The
 * kernel takes no ext4 back from a fault without unmounting it, and makes none read-only that is
 * being written. But it lets strace answer EROFS (errno(3)) in the place of a file system, for as
 * long as strace runs.
 */

t.setTimeout(240_000)
const directory = mkdtempSync(join(tmpdir(), 'berth-writable-again-'))
const database = join(directory, 'data', 'berth.sqlite')
const broker = await BrokerProcess.start({
  directory,
  address: '127.0.0.1',
  port: 18_449,
  simulatedHosts: true,
  thinClientNetworks: ['127.0.0.0/8'],
})
let strace: ChildProcess | null = null
t.teardown(async () => {
  strace?.kill('SIGKILL')
  await broker.kill().catch(() => {})
  rmSync(directory, { recursive: true })
})
const admin = await broker.login()

/** What a read-only file system refuses (open(2), write(2), ftruncate(2), fsync(2), unlink(2)). Reading goes on. */
const REFUSED = 'pwrite64,pwritev,write,ftruncate,fallocate,fsync,fdatasync,unlink,unlinkat'

/** Makes the broker's database read-only for it until `end`. */
async function readOnly(refused = REFUSED): Promise<{ end: () => Promise<void> }> {
  const files = ['', '-wal', '-shm', '-journal'].flatMap((end) => ['-P', database + end])
  const child = spawn(
    'strace',
    ['-f', '-qq', '-o', '/dev/null', '-p', String(broker.pid), ...files].concat([
      '-e',
      `trace=${refused}`,
      '-e',
      `inject=${refused}:error=EROFS`,
    ]),
    { stdio: 'ignore' },
  )
  strace = child
  await until(async () => (await readyz()).reasons.includes('store_unwritable'), {
    withinMs: 20_000,
    what: 'it says that nothing can be written',
  })
  return {
    end: async () => {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
      strace = null
    },
  }
}

interface Readiness {
  status: string
  reasons: string[]
}
const readyz = async (): Promise<Readiness> => (await admin.raw('GET', '/readyz')).body as Readiness

const contact = async (index: number) =>
  await admin.raw('POST', '/api/v1/thin-clients/ask', {
    macs: [`52:54:00:00:02:${index.toString(16).padStart(2, '0')}`],
    hostname: `desk-${index}`,
    version: '1',
    waitMs: 0,
  })
const addPerson = async (name: string) =>
  await admin.raw('POST', '/api/v1/users', { name, password: 'correct horse' })

async function people(): Promise<string[]> {
  const { users } = await admin.get<{ users: Array<{ name: string }> }>('/users')
  return users.map(({ name }) => name).sort()
}
async function devices(): Promise<string[]> {
  const { thinClients } = await admin.get<{ thinClients: Array<{ mac: string }> }>('/thin-clients')
  return thinClients.map(({ mac }) => mac.slice(-2)).sort()
}

t.test('a broker whose file system is writable again goes on by itself', async (t) => {
  const { pid } = broker
  const accepted = ['admin']
  for (const [round, refused] of [REFUSED, 'fsync,fdatasync', 'pwrite64'].entries()) {
    const before = `before-${round}`
    t.equal((await addPerson(before)).status, 201)
    t.equal((await contact(round)).status, 200)
    accepted.push(before)
    const { end } = await readOnly(refused)
    const answers = await Promise.all([
      addPerson(`refused-${round}`),
      addPerson(`refused-too-${round}`),
      ...[20, 21, 22].map((index) => contact(index + 10 * round)),
    ])
    for (const answer of answers)
      t.match(answer, { status: 503, body: { code: 'store_unwritable' } }, refused)
    t.ok((await readyz()).reasons.includes('store_unwritable'))
    t.same(await people(), [...accepted].sort(), 'what is asked for is answered')
    t.equal((await contact(round)).status, 200, 'a device that is known is served')

    await end()
    const at = performance.now()
    await until(async () => (await readyz()).status === 'ready', {
      withinMs: 15_000,
      what: 'it is ready again by itself',
    })
    t.comment(`${refused}: ready ${Math.round(performance.now() - at)} ms later`)
    const after = `after-${round}`
    t.equal((await addPerson(after)).status, 201)
    accepted.push(after)
    t.same(
      await people(),
      [...accepted].sort(),
      'nothing accepted is lost, nothing refused is done',
    )
  }
  t.equal(broker.pid, pid)
  t.same(await devices(), ['00', '01', '02'])
  t.notMatch(readFileSync(broker.logFile, 'utf8'), /unhandled/i)
})

t.test('what failed meanwhile behind the scenes is no reason afterwards', async (t) => {
  const failures = (): number =>
    readFileSync(broker.logFile, 'utf8').split('keeping the assignments failed').length
  const before = failures()
  const { end } = await readOnly()
  await until(() => failures() > before, { withinMs: 60_000, what: 'a keeper has failed' })
  await end()
  await until(async () => (await readyz()).status === 'ready', {
    withinMs: 15_000,
    what: 'it is ready again by itself',
  })
  t.equal((await addPerson('last')).status, 201)
})

t.test('and has it on the disk', async (t) => {
  const before = { people: await people(), devices: await devices() }
  await broker.kill()
  const opened = new Database(database)
  t.equal(opened.pragma('integrity_check', { simple: true }), 'ok')
  opened.close()
  await broker.start()
  t.same({ people: await people(), devices: await devices() }, before)
})
