import { allObjectFacts } from './assignments/object-facts.js'
import type { Stay } from './consoles/policy.js'
import type { Store } from './store/open.js'
import { Turn } from './turn.js'
import { grantsOfAll, peopleNamed } from './users/many-people.js'
import { nameKey } from './users/names.js'
import { verbsOn } from './users/verbs.js'

/** Before the id of a device, where it has a machine itself. */
const DEVICE = 'thin-client:'

/**
 * Whether those who have a console open may keep it, in their order. As many questions for a
 * thousand as for ten, since all of them are asked for again and again.
 */
export function stayAnswer(store: Store): (stays: readonly Stay[]) => Promise<boolean[]> {
  return async (stays) => {
    if (stays.length === 0) return []
    const mayPerson = await personAnswer(store, stays)
    const mayDevice = await deviceAnswer(store, stays)
    const turn = new Turn()
    const answers: boolean[] = []
    for (const stay of stays) {
      answers.push(stay.holder.kind === 'device' ? mayDevice(stay) : mayPerson(stay))
      await turn.passed()
    }
    return answers
  }
}

/** A person has to have the account still, and the right to open the console. */
async function personAnswer(
  store: Store,
  stays: readonly Stay[],
): Promise<(stay: Stay) => boolean> {
  const names = stays.filter(({ holder }) => holder.kind === 'person').map(({ holder }) => holder)
  if (names.length === 0) return () => false
  const people = await peopleNamed(
    store,
    names.map(({ name }) => name),
  )
  const grantsOf = await grantsOfAll(store)
  const machines = new Map(
    (await allObjectFacts(store)('machine')).map((facts) => [facts.id, facts]),
  )
  return ({ holder, machineId }) => {
    const [person, facts] = [people.get(nameKey(holder.name)), machines.get(machineId)]
    return (
      person !== undefined &&
      facts !== undefined &&
      verbsOn(person, { kind: 'machine', ...facts }, grantsOf(person)).has('accessConsole')
    )
  }
}

/** A device (by its MAC) may keep the console that it has, unless the machine has become somebody else's. */
async function deviceAnswer(
  store: Store,
  stays: readonly Stay[],
): Promise<(stay: Stay) => boolean> {
  if (!stays.some(({ holder }) => holder.kind === 'device')) return () => false
  const rows = await store
    .selectFrom('assignment')
    .leftJoin('thin_client', (join) =>
      join.on((eb) =>
        eb(
          'thin_client.id',
          '=',
          eb.fn<string>('substr', ['assignment.holder', eb.val(DEVICE.length + 1)]),
        ),
      ),
    )
    .select(['assignment.machine_id', 'assignment.holder', 'thin_client.mac'])
    .execute()
  const held = new Map(rows.map((row) => [row.machine_id, row]))
  return ({ holder, machineId }) => {
    const row = held.get(machineId)
    if (!row?.holder.startsWith(DEVICE)) return row === undefined
    return row.mac === null || row.mac === holder.name
  }
}
