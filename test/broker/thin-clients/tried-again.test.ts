import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { backgroundFailures } from '../../../broker/background.js'
import { refusal } from '../../../broker/errors/broker-error.js'
import { until } from '../../support/until.js'
import { clientsXml, Desk, entry, newMac, office } from './desk.js'

/* What failed once is tried again, and is held against nobody else. */

t.setTimeout(180_000)

t.test(
  'a clients.xml that could not be loaded, since the database was busy, is tried again',
  async (t) => {
    const broker = await office(1)
    const other = new Database(join(broker.directory, 'data', 'berth.sqlite'))
    t.teardown(async () => {
      other.close()
      await broker.remove()
    })
    const mac = newMac()
    await clientsXml(broker, entry(`mac="${newMac()}"`, 'rdp:first.example.org'))
    const failures = (): number => backgroundFailures().get('clients-xml.look')?.count ?? 0
    const before = failures()
    other.exec('BEGIN IMMEDIATE')
    const file = `<thin-clients>\n${entry(`mac="${mac}"`, 'rdp:second.example.org')}\n</thin-clients>`
    writeFileSync(`${broker.clientsXml}.mine`, file)
    renameSync(`${broker.clientsXml}.mine`, broker.clientsXml)
    await until(() => failures() > before, { withinMs: 30_000, what: 'it could not be loaded' })
    other.exec('ROLLBACK')
    const desk = new Desk(broker, mac)
    await until(async () => (await desk.ask()).console?.title === 'second.example.org', {
      withinMs: 15_000,
      what: 'it is in force, though nobody has touched it again',
    })
    const versions = await broker.rows('SELECT 1 FROM clients_xml_version')
    t.equal(versions.length, 2, 'and it is kept as a version, once')
  },
)

t.test(
  'why a machine did not start is told its device, and nobody who gets another one of its name',
  async (t) => {
    const broker = await office(1)
    t.teardown(async () => {
      await broker.remove()
    })
    const mac = newMac()
    await clientsXml(broker, entry(`mac="${mac}"`, 'spice:pc-1'))
    const host = broker.host()
    let starts = 0
    host.onCall = (call) => {
      if (call !== 'start') return
      starts += 1
      throw refusal('simulated_refusal', { said: 'no memory is left on this host' })
    }
    const desk = new Desk(broker, mac)
    await until(async () => /no memory is left/.test((await desk.ask()).sentence), {
      withinMs: 10_000,
      what: 'the device says why',
    })
    const tried = starts
    t.match(await desk.ask(), { state: 'waiting', sentence: /no memory is left/ })
    t.equal(starts, tried, 'it is not started again at each question')
    host.onCall = () => {}
    await broker.admin.post('/machines/pc-1/release').catch(() => {})
    const { job } = await broker.admin.delete<{ job: string }>('/machines/pc-1?force=true')
    await broker.admin.succeeded(job)
    const made = await broker.admin.post<{ job: string }>('/machines', {
      name: 'pc-1',
      type: 'simple',
      hypervisors: ['hv1'],
    })
    await broker.admin.succeeded(made.job)
    t.notMatch(
      await desk.ask(),
      { sentence: /no memory is left/ },
      'the new machine has failed at nothing',
    )
    await desk.askUntil('ready', 10_000)
  },
)

t.test('a failed start counts for some seconds, whatever is done to the clock', async (t) => {
  const broker = await office(1)
  const [wall, monotonic] = [Date.now, performance.now.bind(performance)]
  t.teardown(async () => {
    Date.now = wall
    performance.now = monotonic
    await broker.remove()
  })
  const mac = newMac()
  await clientsXml(broker, entry(`mac="${mac}"`, 'spice:pc-1'))
  let isFull = true
  broker.host().onCall = (call) => {
    if (call === 'start' && isFull)
      throw refusal('simulated_refusal', { said: 'no memory is left' })
  }
  const desk = new Desk(broker, mac)
  await until(async () => /no memory is left/.test((await desk.ask()).sentence), {
    withinMs: 10_000,
    what: 'the device says why',
  })
  isFull = false
  Date.now = () => wall() + 3_600_000
  t.match(await desk.ask(), { sentence: /no memory is left/ }, 'set on')
  Date.now = () => wall() - 3_600_000
  performance.now = () => monotonic() + 16_000
  await desk.askUntil('ready', 10_000)
})
