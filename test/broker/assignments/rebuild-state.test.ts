import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Desktop } from '../../../broker/api/assignments.js'
import { parseDomainXml, readMetadata } from '../../../broker/hypervisors/domain-xml.js'
import { readRecord } from '../../../broker/assignments/records.js'
import { dropDatabaseIn } from '../../support/database.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { office, poolOf, show, untilMembers } from '../pools/office.js'

interface Rebuilt {
  machines: string[]
  generations: string[]
  pools: string[]
  assignments: string[]
  warnings: string[]
}

/** What the domain of a machine carries now. */
function carried(broker: SimulatedBroker, machine: string) {
  for (const host of broker.hosts.values()) {
    const domain = host.domains.get(machine)
    if (domain)
      return {
        metadata: readMetadata(domain.xml),
        record: readRecord(readMetadata(domain.xml)?.record),
        parsed: parseDomainXml(domain.xml),
      }
  }
  throw new Error(`no host has ${machine}`)
}

/** The database is gone; the broker's own key and certificate are not. */
async function loseDatabase(broker: SimulatedBroker): Promise<void> {
  await broker.stop()
  const data = join(broker.directory, 'data')
  for (const file of readdirSync(data))
    if (file.startsWith('berth.sqlite') || file === 'admin-password') rmSync(join(data, file))
  await dropDatabaseIn(data)
  rmSync(join(broker.directory, 'token'))
  for (const host of broker.hosts.values()) host.link = undefined
  await broker.start()
  await broker.addHypervisors()
}

async function world(broker: SimulatedBroker): Promise<unknown> {
  const { pool, members } = await show(broker, 'devpool')
  const { desktops } = await broker.admin.get<{ desktops: Desktop[] }>('/desktops')
  const { grants } = await broker.admin.get<{ grants: unknown[] }>('/grants')
  return {
    pool: {
      name: pool.name,
      namespace: pool.namespace,
      initial: pool.initial,
      policy: pool.policy,
      size: pool.size,
      generations: pool.generations,
    },
    grants,
    members: members.map(({ machine, state, holder, generation, built, hypervisor }) => ({
      machine,
      state,
      holder,
      generation,
      built,
      hypervisor,
    })),
    desktops: desktops.map(({ machine, holder, pool: of, byAdministrator, assignedAt }) => ({
      machine,
      holder,
      of,
      byAdministrator,
      assignedAt,
    })),
    generations: (
      await broker.admin.get<{
        generations: Array<{
          name: string
          sha256: string
          current: boolean
          hypervisors: string[]
        }>
      }>('/machines/devpool-golden/generations')
    ).generations.map(({ name, sha256, current, hypervisors }) => ({
      name,
      sha256,
      current,
      hypervisors,
    })),
  }
}

t.test(
  'pools, grants and assignments stand in the domains, and come back from there when the database is lost',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    await poolOf(broker, 'devpool', 3, { retention: 'PT4H', clipboard: false })
    await grantToStaffAndAPerson(broker)
    await broker.admin.post('/pools/devpool/assign', { user: 'alice@example.org' })
    await untilMembers(broker, 'devpool', ['assigned running', 'free off', 'free off'])
    await until(() => carried(broker, 'devpool-1').metadata?.assignment === 'alice@example.org', {
      withinMs: 10_000,
      what: 'the domain says whose it is',
    })
    await until(() => carried(broker, 'devpool-3').record?.pools[0]?.grants.length === 2, {
      withinMs: 10_000,
      what: 'the domain carries the grants',
    })
    t.match(carried(broker, 'devpool-1').metadata, { pool: 'devpool', generation: 'g1' })
    await until(() => carried(broker, 'devpool-golden').record?.usedBy[0]?.grants.length === 2, {
      withinMs: 10_000,
      what: 'the initial machine carries the pool too',
    })
    const before = await world(broker)

    await loseDatabase(broker)
    const told = await broker.admin.post<Rebuilt>('/rebuild-state', { dryRun: true })
    t.match(told, {
      pools: ['devpool'],
      assignments: ['devpool-1 alice@example.org'],
      warnings: [],
    })
    t.same(await broker.rows('SELECT * FROM machine'), [], 'a dry run changes nothing')
    t.same(await broker.admin.post<Rebuilt>('/rebuild-state', {}), told)
    t.same(await world(broker), before)
    t.same(
      await broker.admin.post<Rebuilt>('/rebuild-state', {}),
      { machines: [], generations: [], pools: [], assignments: [], warnings: [] },
      'repeated, there is nothing to do',
    )
    await broker.admin.post('/machines/devpool-1/release', {})
    await untilMembers(broker, 'devpool', ['free off', 'free off', 'free off'])
    await broker.admin.done('/machines/devpool-golden/populate', {})
  },
)

async function grantToStaffAndAPerson(broker: SimulatedBroker): Promise<void> {
  await broker.admin.put('/grants', {
    kind: 'pool',
    object: 'devpool',
    subjectKind: 'role',
    subject: 'staff',
    verbs: ['start', 'accessConsole'],
  })
  await broker.admin.put('/grants', {
    kind: 'pool',
    object: 'devpool',
    subjectKind: 'user',
    subject: 'Älice "the" O\'Neil',
    verbs: ['*'],
  })
}

t.test('a desktop that was not clean is not handed out by a database made again', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'devpool', 1, { onRelease: 'keep' })
  await broker.admin.post('/pools/devpool/assign', { user: 'ann' })
  await untilMembers(broker, 'devpool', ['assigned running'])
  await broker.admin.post('/machines/devpool-1/release', {})
  await until(
    () =>
      carried(broker, 'devpool-1').record?.desktop?.unclean === 'stop' &&
      carried(broker, 'devpool-1').record?.assignment === null,
    { withinMs: 10_000, what: 'the domain says that it is unclean' },
  )
  await loseDatabase(broker)
  await broker.admin.post('/rebuild-state', {})
  await untilMembers(broker, 'devpool', ['free off'])
  t.same(await broker.rows('SELECT unclean FROM desktop'), [{ unclean: null }])
})
