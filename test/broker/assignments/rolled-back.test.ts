import t from 'tap'
import { IS_POSTGRESQL } from '../../support/database.js'
import { addPerson } from '../../support/people.js'
import { until } from '../../support/until.js'
import { office, poolOf } from '../pools/office.js'

const FILL_THE_DISK = IS_POSTGRESQL
  ? [
      "CREATE FUNCTION refuse() RETURNS TRIGGER AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$ " +
        'LANGUAGE plpgsql',
      'CREATE TRIGGER no_room BEFORE INSERT ON event FOR EACH ROW ' +
        "WHEN (NEW.action = 'desktop.assign') EXECUTE FUNCTION refuse()",
    ]
  : [
      "CREATE TRIGGER no_room BEFORE INSERT ON event WHEN NEW.action = 'desktop.assign' BEGIN " +
        "SELECT RAISE(ABORT, 'the disk is full'); END",
    ]
const EMPTY_IT = IS_POSTGRESQL ? 'DROP TRIGGER no_room ON event' : 'DROP TRIGGER no_room'

t.test('a claim that is rolled back ends nobody’s session, neither then nor later', async (t) => {
  const broker = await office({
    hosts: 1,
    config: { observeEveryMs: 200, observationGraceMs: 100 },
  })
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'p', 1, { retention: 'PT1S', disconnectGrace: 'PT0S', onExpiry: 'keep' })
  await broker.admin.put('/grants', {
    kind: 'pool',
    object: 'p',
    subjectKind: 'role',
    subject: 'user',
    verbs: ['start', 'accessConsole', 'release'],
  })
  await broker.admin.post('/pools/p/assign', { user: 'ann', waitMs: 20_000 })
  const metric = async (): Promise<number> =>
    Number(
      /^berth_assignments_ended_total\{because="expired"\} (\d+)$/m.exec(
        (await broker.admin.raw('GET', '/metrics')).text,
      )?.[1] ?? 0,
    )
  for (const statement of FILL_THE_DISK) await broker.run(statement)
  const bob = await addPerson(broker, 'bob')
  let rolledBack = 0
  await until(
    async () => {
      await bob.post('/pools/p/claim').catch((error: unknown) => {
        if ((error as { status?: number }).status !== 409) rolledBack += 1
      })
      return rolledBack > 0
    },
    { withinMs: 20_000, what: 'her time is over, and his claim fails' },
  )
  t.equal(await metric(), 0, 'hers was not ended')
  t.match(await broker.rows('SELECT holder FROM assignment'), [{ holder: 'user:ann' }])
  await broker.run(EMPTY_IT)
  await bob.post('/pools/p/claim')
  t.equal(await metric(), 1, 'now it was, once')
  t.match(await broker.rows('SELECT holder FROM assignment'), [{ holder: 'user:bob' }])
})
