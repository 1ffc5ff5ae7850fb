import t from 'tap'
import { Statements } from '../../support/statements.js'
import { until } from '../../support/until.js'
import { office, poolOf } from './office.js'

t.setTimeout(120_000)

/** Pools that something was heard of; the rounds of all, every five seconds, name none. */
const CONCERNED = /from "pool" where "state" = \? and "id" in /
const LOADS = 'sum("machine"."memory_mib")'

t.test('a machine that goes on makes work for its own pool and host only', async (t) => {
  const broker = await office()
  const statements = new Statements()
  t.teardown(async () => {
    statements.stop()
    await broker.remove()
  })
  for (const name of ['a', 'b', 'c']) await poolOf(broker, name, 2)
  const host = (
    await broker.rows<{ hypervisor: string }>("SELECT hypervisor FROM machine WHERE name = 'a-1'")
  )[0]?.hypervisor
  const member = broker.host(host).domains.get('a-1')
  if (!member) throw new Error('a-1 is not there')
  // The rounds of all pools come every five seconds; what is asked between two of them is for the event alone.
  const since = async (): Promise<number | undefined> =>
    (
      await broker.rows<{ power_since: number }>(
        "SELECT power_since FROM machine WHERE name = 'a-1'",
      )
    )[0]?.power_since
  const before = await since()
  statements.take()
  member.running = true
  broker.host(host).push('a-1', 'Started')
  // Nobody has it, so its pool may have shut it down again by the time of the question.
  await until(async () => (await since()) !== before, {
    withinMs: 3_000,
    everyMs: 5,
    what: 'it is seen to run',
  })
  const texts: string[] = []
  const looks = (): string[] => texts.filter((text) => CONCERNED.test(text))
  await until(
    () => {
      texts.push(...statements.take())
      return looks().length > 0
    },
    { withinMs: 5_000, everyMs: 5, what: 'its pool is looked at' },
  )
  t.ok(
    looks().every((text) => text.includes('"id" in (?)')),
    'one pool is looked at',
  )
  const loads = texts.filter((text) => text.includes(LOADS))
  t.ok(
    loads.every((text) => text.includes('"machine"."hypervisor" in')),
    'of its host alone',
  )
})
