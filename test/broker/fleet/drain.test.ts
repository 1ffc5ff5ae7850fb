import t, { type Test } from 'tap'
import type { ClaimAnswer } from '../../../broker/api/assignments.js'
import type { DrainState } from '../../../broker/api/drains.js'
import type { PoolDetail } from '../../../broker/api/pools.js'
import { ApiClient } from '../../support/api-client.js'
import { BerthOnFleet } from '../../support/berth-on-fleet.js'
import { until } from '../../support/until.js'

t.setTimeout(900_000)
const berth = await BerthOnFleet.start({ hosts: 2, name: 'drain' })
t.teardown(async () => {
  await berth.stop()
})
const PASSWORD = 'correct horse battery'
const members = async (): Promise<PoolDetail['members']> =>
  (await berth.api.get<PoolDetail>('/pools/lab')).members
const state = async (host: string): Promise<DrainState> =>
  await berth.api.get<DrainState>(`/hypervisors/${host}/drain`)
const domains = async (number: number): Promise<string[]> =>
  (await berth.host(number).mustRun(['virsh', '-q', 'list', '--all', '--name']))
    .split('\n')
    .filter(Boolean)
    .sort()

t.test(
  'a real host is being emptied: free desktops are built on the other, a running one stays until ' +
    'its deadline, then the host may be switched off',
  async (t) => {
    await makePool()
    const [first, second] = berth.fleet.hosts.map(({ name }) => name)
    if (!first || !second) throw new Error('two hosts were asked for')
    // The golden machine is on the second host, so the first is the one that can be switched off.
    const mine = (await members()).find(({ hypervisor }) => hypervisor === first)?.machine ?? ''
    const { token } = await new ApiClient(berth.api.url, berth.api.ca).post<{ token: string }>(
      '/login',
      { name: 'ann', password: PASSWORD },
    )
    await berth.api.post('/pools/lab/assign', { user: 'ann', machine: mine, waitMs: 60_000 })
    await berth.untilPower(mine, 'running', 60_000)
    const guest = await berth.screenOf(mine)
    const before = await domains(1)
    t.ok(before.length > 1 && before.includes(mine))
    const begun = await berth.api.post<DrainState>(`/hypervisors/${first}/drain`, {
      message: 'Please leave.',
      deadline: 'PT1M',
    })
    t.match(begun, { drain: { total: before.length }, others: [] })
    await until(async () => (await domains(1)).join() === mine, {
      withinMs: 60_000,
      everyMs: 300,
      what: "only ann's is left on the host itself",
    })
    t.match(await state(first), { left: 1, sentence: `1 of ${before.length} left.` })
    t.same(await berth.screenOf(mine), guest, 'hers runs as before')
    await until(
      async () => {
        const now = await members()
        return (
          now.filter(({ hypervisor, state: is }) => hypervisor === second && is === 'free')
            .length === 3
        )
      },
      { withinMs: 90_000, everyMs: 300, what: 'three are free on the other host' },
    )
    await untilEmptyAndOff(t, token, mine, first, second)
  },
)

async function makePool(): Promise<void> {
  await berth.makeSource('golden', 'one', berth.host(2))
  await berth.api.done('/pools', {
    name: 'lab',
    from: 'golden',
    size: 4,
  })
  await berth.api.post('/users', { name: 'ann', password: PASSWORD })
  await berth.api.put('/grants', {
    kind: 'pool',
    object: 'lab',
    subjectKind: 'user',
    subject: 'ann',
    verbs: ['start', 'accessConsole'],
  })
}

async function untilEmptyAndOff(
  t: Test,
  token: string,
  mine: string,
  first: string,
  second: string,
): Promise<void> {
  const answer = await new ApiClient(berth.api.url, berth.api.ca, token).post<ClaimAnswer>(
    '/pools/lab/claim',
  )
  t.match(
    answer.desktop,
    { machine: mine, warning: { sentence: /^Its hypervisor will be emptied/ } },
    'she is warned',
  )
  const empty = await until(
    async () => {
      const now = await state(first)
      return now.drain?.emptyAt == null ? null : now
    },
    { withinMs: 200_000, everyMs: 500, what: 'it is empty' },
  )
  t.equal(empty.left, 0)
  t.same(await domains(1), [])
  await berth.host(1).powerCut()
  await berth.untilHypervisor(first, 'maintenance')
  t.match(await state(first), { left: 0, sentence: 'It is empty: it may be switched off.' })
  const again = await new ApiClient(berth.api.url, berth.api.ca, token).post<ClaimAnswer>(
    '/pools/lab/claim',
    { waitMs: 60_000 },
  )
  t.equal(
    (await members()).find(({ machine }) => machine === again.desktop?.machine)?.hypervisor,
    second,
    'she gets another one, on the other host',
  )
}
