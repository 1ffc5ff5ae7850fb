import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t from 'tap'
import { mustRun, runCommand } from '../../fleet/command.js'
import { BrokerProcess } from '../../support/broker-process.js'
import { until } from '../../support/until.js'

/*
 * The kernel makes a file system read-only under the broker, as ext4 does when it finds a fault
 * (errors=remount-ro): the broker lives on, says so, and loses nothing. Such a file system is
 * mounted again by hand, with the broker stopped; writable-again.test.ts has one that comes back by
 * itself.
 */

t.setTimeout(240_000)
const directory = mkdtempSync(join(tmpdir(), 'berth-read-only-'))
const [data, disk] = [join(directory, 'data'), join(directory, 'disk')]
mkdirSync(data)
await mustRun(['truncate', '-s', '64M', disk])
await mustRun(['mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal', disk])
const mount = async (): Promise<string> => {
  await mustRun(['mount', '-o', 'loop,errors=remount-ro', disk, data])
  return basename((await mustRun(['findmnt', '-n', '-o', 'SOURCE', data])).trim())
}
let device = await mount()
const broker = await BrokerProcess.start({
  directory,
  address: '127.0.0.1',
  port: 18_447,
  simulatedHosts: true,
  thinClientNetworks: ['127.0.0.0/8'],
})
t.teardown(async () => {
  await broker.kill().catch(() => {})
  await runCommand(['umount', data])
  rmSync(directory, { recursive: true })
})

const nth = (index: number): string => index.toString(16).padStart(2, '0')
const contact = async (index: number) =>
  await admin.raw('POST', '/api/v1/thin-clients/ask', {
    macs: [`52:54:00:00:01:${nth(index)}`],
    hostname: `desk-${index}`,
    version: '1',
    waitMs: 0,
  })
let admin = await broker.login()

t.test('the file system becomes read-only', async (t) => {
  const { pid } = broker
  const people: string[] = []
  for (const name of ['ann', 'bob']) {
    t.equal(
      (await admin.raw('POST', '/api/v1/users', { name, password: 'correct horse' })).status,
      201,
    )
    people.push(name)
  }
  t.match(await contact(1), { status: 200, body: { deviceKey: /./ } })
  writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, '1')
  for (const answer of [
    await admin.raw('POST', '/api/v1/users', { name: 'carl', password: 'correct horse' }),
    ...(await Promise.all([2, 3, 4, 5].map(contact))),
  ])
    t.match(answer, { status: 503, body: { code: 'store_unwritable' } })
  await until(async () => (await admin.raw('GET', '/readyz')).status === 503, {
    withinMs: 10_000,
    what: 'it says so',
  })
  const { body } = await admin.raw('GET', '/readyz')
  t.match(body, { status: 'degraded' })
  t.ok((body as { reasons: string[] }).reasons.includes('store_unwritable'))
  t.equal((await admin.raw('GET', '/healthz')).status, 200)
  t.match(await admin.raw('GET', '/api/v1/users'), { status: 200 }, 'what is asked for is answered')
  t.match(await contact(1), { status: 200 })
  t.equal(broker.pid, pid)
  await broker.stop()
  await mustRun(['umount', data])
  const { code } = await runCommand(['e2fsck', '-fy', disk])
  t.ok(code === 0 || code === 1, 'the file system is repaired')
  device = await mount()
  await broker.start()
  admin = await broker.login()
  const { users } = await admin.get<{ users: Array<{ name: string }> }>('/users')
  for (const name of people)
    t.ok(
      users.some((one) => one.name === name),
      `${name} is there`,
    )
  const { thinClients } = await admin.get<{ thinClients: Array<{ mac: string }> }>('/thin-clients')
  t.same(
    thinClients.map(({ mac }) => mac),
    ['52:54:00:00:01:01'],
    'and one who was refused is not',
  )
  t.match(await contact(2), { status: 200, body: { deviceKey: /./ } })
  t.equal((await admin.raw('GET', '/readyz')).status, 200)
  t.notMatch(readFileSync(broker.logFile, 'utf8'), /unhandled/i)
})
