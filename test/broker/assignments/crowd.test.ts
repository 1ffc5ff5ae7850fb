import t, { type Test as T } from 'tap'
import type { ClaimAnswer } from '../../../broker/api/assignments.js'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { ApiClient, type RawAnswer } from '../../support/api-client.js'
import { addPerson } from '../../support/people.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { office, poolOf, show } from '../pools/office.js'

const PEOPLE = 1_000
/** Enough to be in the middle of it when something breaks. */
const FEWER_PEOPLE = 300
const MEMBERS = 100
const HOSTS = 5

t.setTimeout(1_200_000)

/** Each person's claim, all at once; a broker that is away gives null. */
async function claims(clients: readonly ApiClient[]): Promise<Array<RawAnswer | null>> {
  return await Promise.all(
    clients.map(
      async (client) => await client.raw('POST', '/api/v1/pools/crowd/claim', {}).catch(() => null),
    ),
  )
}
const machineIn = (answer: RawAnswer | null | undefined): string | null =>
  answer?.status === 200 ? ((answer.body as ClaimAnswer).desktop?.machine ?? null) : null

/** Everybody who asked got a desktop of their own or a clear refusal. */
function assertFair(
  t: T,
  answers: ReadonlyArray<RawAnswer | null>,
  winners: { atLeast: number; atMost: number },
): void {
  const machines = answers.map(machineIn).filter((machine) => machine !== null)
  t.ok(
    machines.length >= winners.atLeast && machines.length <= winners.atMost,
    `${machines.length} have a desktop`,
  )
  t.equal(new Set(machines).size, machines.length, 'no desktop twice')
  const others = answers.filter((answer) => answer !== null && machineIn(answer) === null)
  t.same(
    [
      ...new Set(
        others.map((answer) => `${answer?.status} ${(answer?.body as { code: string }).code}`),
      ),
    ],
    others.length === 0 ? [] : ['409 pool_exhausted'],
  )
  t.match(
    (others[0]?.body as { message: string } | undefined)?.message ?? 'crowd has no free desktop (1',
    /crowd has no free desktop \(\d+/,
  )
}

/** What the database says: a desktop has one holder, a holder one desktop of the pool. */
async function assertWhole(t: T, broker: SimulatedBroker, count: number): Promise<void> {
  const [seen] = await broker.rows<{ held: number; machines: number; holders: number }>(
    'SELECT count(*) AS held, count(DISTINCT machine_id) AS machines, count(DISTINCT holder) ' +
      'AS holders FROM assignment',
  )
  t.same(seen, { held: count, machines: count, holders: count })
}

async function crowd(
  count: number,
  hosts: number | readonly SimulatedHost[] = HOSTS,
): Promise<{ broker: SimulatedBroker; people: ApiClient[] }> {
  const broker = await office({ hosts })
  await poolOf(broker, 'crowd', MEMBERS)
  await broker.admin.put('/grants', {
    kind: 'pool',
    object: 'crowd',
    subjectKind: 'role',
    subject: 'user',
    verbs: ['start', 'accessConsole'],
  })
  await broker.run('BEGIN')
  const people = await Promise.all(
    Array.from({ length: count }, (_, index) => addPerson(broker, `person-${index}`)),
  )
  await broker.run('COMMIT')
  return { broker, people }
}

t.test(
  '1,000 people, 100 desktops, one moment: 100 have one, nobody shares, 900 are told why',
  async (t) => {
    const { broker, people } = await crowd(PEOPLE)
    t.teardown(async () => {
      await broker.remove()
    })
    const first = await claims(people)
    assertFair(t, first, { atLeast: MEMBERS, atMost: MEMBERS })
    await assertWhole(t, broker, MEMBERS)
    const again = await claims(people)
    t.same(
      again.map(machineIn),
      first.map(machineIn),
      'asked again, everybody gets the same answer',
    )
    await until(
      async () =>
        (await show(broker, 'crowd')).members.every((member) => member.power === 'running'),
      { withinMs: 60_000, what: 'all run' },
    )
    await assertWhole(t, broker, MEMBERS)
  },
)

t.test(
  'while machines start a host drops, and the broker is stopped and started: the same holds, ' +
    'and everybody keeps what he was told',
  async (t) => {
    const hosts = Array.from({ length: HOSTS }, (_, index) => new SimulatedHost(`hv${index + 1}`))
    const { broker, people } = await crowd(FEWER_PEOPLE, hosts)
    t.teardown(async () => {
      await broker.remove()
    })
    const [dropped] = hosts.slice(-1)
    for (const host of hosts) host.latencyMs = 30
    const first = claims(people)
    await until(async () => (await broker.rows('SELECT 1 FROM assignment')).length >= 20, {
      withinMs: 20_000,
      everyMs: 1,
      what: 'the first ones have theirs',
    })
    dropped?.link?.setUp(false)
    await until(async () => (await broker.rows('SELECT 1 FROM assignment')).length >= 50, {
      withinMs: 20_000,
      everyMs: 1,
      what: 'half of them have theirs',
    })
    await broker.stop()
    const told = (await first).map(machineIn)
    await broker.start()
    t.ok(
      told.filter((machine) => machine !== null).length < MEMBERS,
      'it was stopped in the middle',
    )
    const clients = people.map((person) => new ApiClient(broker.url, broker.ca, person.token))
    const second = await claims(clients)
    assertFair(t, second, { atLeast: MEMBERS, atMost: MEMBERS })
    for (const [index, machine] of told.entries())
      if (machine !== null && machineIn(second[index]) !== machine)
        t.fail(`person-${index} was told ${machine}, and now ${String(machineIn(second[index]))}`)
    await assertWhole(t, broker, MEMBERS)
    dropped?.link?.setUp(false)
    const third = await claims(clients)
    t.same(
      third.map(machineIn),
      second.map(machineIn),
      'a host that is away takes nothing from anybody',
    )
    await allRunAndKeepTheirs(t, dropped, broker, clients, second)
  },
)

async function allRunAndKeepTheirs(
  t: T,
  dropped: SimulatedHost | undefined,
  broker: SimulatedBroker,
  clients: ApiClient[],
  second: (RawAnswer | null)[],
): Promise<void> {
  dropped?.link?.setUp(true)
  await until(
    async () =>
      (await show(broker, 'crowd')).members.every(
        (member) => member.state === 'assigned' && member.power === 'running',
      ),
    { withinMs: 120_000, what: 'all run' },
  )
  t.same((await claims(clients)).map(machineIn), second.map(machineIn))
  await assertWhole(t, broker, MEMBERS)
}
