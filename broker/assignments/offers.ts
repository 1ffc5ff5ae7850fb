import type { Desktop } from '../api/assignments.js'
import type { Session } from '../api/consoles.js'
import type { Connection, Offer } from '../api/offers.js'
import type { Choice } from '../api/thin-clients.js'
import type { Verb } from '../api/permissions.js'
import { seesWhole } from '../pools/views.js'
import type { Caller } from '../users/caller.js'
import { choicesOf, type ChoicesDeps } from './choices.js'
import { hostEmptiedAt } from './policy.js'
import { type OfferFacts, poolFactsFor } from './offer-facts.js'
import type { StartTimes } from './start-times.js'

/** `sessions`: who is connected to these machines now. */
export interface OffersDeps extends ChoicesDeps {
  readonly startTimes: StartTimes
  readonly sessions: (machines: readonly string[]) => Promise<readonly Session[]>
  readonly desktops: (holder: string) => Promise<Desktop[]>
}

/** What is known of a desktop that they have, besides what everybody is told of it. */
interface Held {
  readonly desktop: Desktop
  readonly step: Offer['step']
  readonly takenFor: Offer['takenFor']
}

/**
 * What a person may use, for their page: as `choicesOf`, with their desktop of it, their place in the
 * queue, and what they may do.
 */
export async function offersFor(deps: OffersDeps, person: Caller): Promise<Offer[]> {
  const choices = await choicesOf(deps, person, [])
  const held = await heldBy(deps, person)
  const sessions = await deps.sessions([
    ...held.map(({ desktop }) => desktop.machine),
    ...choices.filter(({ kind }) => kind === 'machine').map(({ name }) => name),
  ])
  const granted = new Set((await deps.permissions.grantsOf(person)).map((grant) => grant.objectId))
  const verbs = await deps.permissions.onAll(person, 'pool')
  const pools = await poolFactsFor(deps.store, person)
  const known = { held, sessions, granted, verbs, pools }
  return await Promise.all(
    choices.map(async (choice) => await offerOf(deps, person, choice, known)),
  )
}

interface Known {
  readonly held: readonly Held[]
  readonly sessions: readonly Session[]
  readonly granted: ReadonlySet<string>
  /** By the names of pools. */
  readonly verbs: ReadonlyMap<string, ReadonlySet<Verb>>
  readonly pools: ReadonlyMap<string, OfferFacts>
}

async function offerOf(
  deps: OffersDeps,
  person: Caller,
  choice: Choice,
  { held, sessions, granted, verbs: onPools, pools }: Known,
): Promise<Offer> {
  const { kind, name, state } = choice
  const isPool = kind === 'pool'
  const mine = held.find(({ desktop }) => (isPool ? desktop.pool : desktop.machine) === name)
  const machine = mine?.desktop.machine ?? (isPool ? null : name)
  const facts = (isPool ? pools.get(name) : undefined) ?? (await machineFacts(deps, name))
  const given =
    machine === null ? onPools.get(name) : await deps.permissions.on(person, 'machine', machine)
  const verbs = [...(given ?? [])]
  const mayKnow = mine !== undefined || verbs.includes('takeConsole') || verbs.includes('assign')
  const startMs = await expectedMs(deps, facts, isPool)
  return {
    kind,
    name,
    state,
    reason: facts.reason,
    own: mine !== undefined || granted.has(facts.id),
    image: seesWhole(new Set(verbs), person.role !== 'user') ? facts.image : null,
    verbs,
    free: facts.free,
    waiting: facts.waiting,
    startMs,
    ...desktopOf(mine, facts),
    queue: facts.queue,
    connected: sessions
      .filter((session) => session.machine === machine && !session.watching)
      .map((session) => connection(session, person, mayKnow)),
  }
}

async function expectedMs(
  { startTimes }: OffersDeps,
  { id, hypervisor }: OfferFacts,
  isPool: boolean,
): Promise<Offer['startMs']> {
  return await startTimes.expectedMs({
    ...(isPool ? { poolId: id } : {}),
    ...(hypervisor === null ? {} : { hypervisor }),
  })
}

function desktopOf(
  mine: Held | undefined,
  { power }: OfferFacts,
): Pick<Offer, 'power' | 'desktop' | 'step' | 'takenFor'> {
  if (!mine) return { power, desktop: null, step: null, takenFor: null }
  const { desktop, step, takenFor } = mine
  return { power: desktop.power as Offer['power'], desktop, step, takenFor }
}

/**
 * Of others' doings on a machine that is not theirs they are told that there are some, and not whose,
 * unless they may take its screen over.
 */
function connection(
  { holder, address, since }: Session,
  person: Caller,
  mayKnow: boolean,
): Connection {
  const you = holder?.kind === 'person' && holder.name === person.actor
  return {
    who: you || mayKnow ? (holder?.name ?? null) : null,
    device: holder?.kind === 'device',
    you,
    address: you || mayKnow ? address : '',
    since,
  }
}

async function machineFacts({ store }: OffersDeps, name: string): Promise<OfferFacts> {
  const row = await store
    .selectFrom('machine')
    .leftJoin('machine as initial', 'initial.id', 'machine.parent_id')
    .leftJoin('machine as golden', 'golden.id', 'initial.parent_id')
    .select([
      'machine.id',
      'machine.hypervisor',
      'machine.maintenance_reason',
      'machine.power',
      'initial.name as initial',
      'golden.name as golden',
    ])
    .where('machine.name', '=', name)
    .executeTakeFirstOrThrow()
  return {
    id: row.id,
    reason: row.maintenance_reason,
    image: row.golden ?? row.initial,
    hypervisor: row.hypervisor,
    power: row.power,
    free: null,
    waiting: null,
    queue: null,
  }
}

/** Whether it is taken then because its hypervisor is to be empty. */
function isEmptied(
  takenAt: string,
  {
    deadline,
    warned_at: warnedAt,
  }: { readonly deadline: number | null; readonly warned_at: number | null },
): boolean {
  const at = hostEmptiedAt({ deadline, warned_at: warnedAt })
  return at !== null && Date.parse(takenAt) === at
}

async function heldBy(deps: OffersDeps, person: Caller): Promise<Held[]> {
  const holder = `user:${person.key}`
  const rows = await deps.store
    .selectFrom('assignment')
    .innerJoin('machine', 'machine.id', 'assignment.machine_id')
    .leftJoin('desktop', 'desktop.machine_id', 'machine.id')
    .leftJoin('drain', 'drain.hypervisor', 'machine.hypervisor')
    .select([
      'machine.name',
      'machine.power',
      'desktop.unclean',
      'assignment.starts_failed',
      'assignment.stop_at',
      'drain.deadline',
      'drain.warned_at',
    ])
    .where('holder', '=', holder)
    .execute()
  return (await deps.desktops(holder)).flatMap((desktop) => {
    const row = rows.find(({ name }) => name === desktop.machine)
    if (!row) return [] // it was released between both looks
    const step =
      desktop.phase !== 'preparing'
        ? null
        : row.power === 'unknown'
          ? 'host-away'
          : row.unclean !== null
            ? 'cleaning'
            : row.starts_failed > 0
              ? 'retrying'
              : 'starting'
    const takenFor =
      desktop.warning === null
        ? null
        : isEmptied(desktop.warning.takenAt, row)
          ? 'drain'
          : row.stop_at !== null
            ? 'schedule'
            : desktop.sessionEndsAt !== null
              ? 'session'
              : 'idle'
    return [{ desktop, step, takenFor }]
  })
}
