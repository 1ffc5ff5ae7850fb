import type { ObjectKind, Verb } from '../api/permissions.js'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import type { Queries } from '../store/open.js'
import type { GrantRow } from '../store/tables.js'
import { Turn } from '../turn.js'
import { type Facts, type GrantOn, siteRole, type Person, seesIt, verbsOn } from './verbs.js'

/** What a pool or machine of this name is, or null; answered by the rooms that keep them. */
export type ObjectFacts = (kind: ObjectKind, name: string) => Promise<Facts | null>
/** The same of all pools, or of all machines. */
export type AllObjectFacts = (kind: ObjectKind) => Promise<readonly Facts[]>

export interface PermissionsDeps {
  readonly store: Queries
  readonly facts: ObjectFacts
  readonly allFacts: AllObjectFacts
}

/** Who may do what with which pool or machine, now. */
export class Permissions {
  constructor(readonly deps: PermissionsDeps) {}

  /** What the person may do with it; null when they may not see it, or there is none. */
  async on(person: Person, kind: ObjectKind, name: string): Promise<ReadonlySet<Verb> | null> {
    // In this order, so that what does not exist takes as long as what must not be seen.
    const grants = await this.grantsOf(person)
    const facts = await this.deps.facts(kind, name)
    if (!facts) return null
    return seesIt(person, { kind, ...facts }, grants)
      ? verbsOn(person, { kind, ...facts }, grants)
      : null
  }

  /**
   * As `on`, of every pool or machine that the person sees, by its name: as many questions for a
   * thousand as for one.
   */
  async onAll(person: Person, kind: ObjectKind): Promise<ReadonlyMap<string, ReadonlySet<Verb>>> {
    const grants = await this.grantsOf(person)
    const verbs = new Map<string, ReadonlySet<Verb>>()
    const turn = new Turn()
    for (const facts of await this.deps.allFacts(kind)) {
      if (seesIt(person, { kind, ...facts }, grants))
        verbs.set(facts.name, verbsOn(person, { kind, ...facts }, grants))
      await turn.passed()
    }
    return verbs
  }

  /**
   * Throws `not_found` for what they may not see as for what does not exist, and `forbidden` for what
   * they see and may not do.
   */
  async require(person: Person, verb: Verb, kind: ObjectKind, name: string): Promise<void> {
    const verbs = await this.on(person, kind, name)
    if (verbs === null) throw noSuch(kind, name)
    requireVerb(verbs, verb, kind, name)
  }

  /** Those of a list that the person may see. Those who read everything get the list itself. */
  async seen<T>(
    person: Person,
    kind: ObjectKind,
    all: readonly T[],
    nameOf: (item: T) => string,
  ): Promise<T[]> {
    if (siteRole(person) !== 'user') return [...all]
    const grants = await this.grantsOf(person)
    const names = new Set(
      (await this.deps.allFacts(kind))
        .filter((facts) => seesIt(person, { kind, ...facts }, grants))
        .map(({ name }) => name),
    )
    return all.filter((item) => names.has(nameOf(item)))
  }

  /** The grants that name the person, one of their roles, or everybody. */
  async grantsOf({ key, roles }: Pick<Person, 'key' | 'roles'>): Promise<GrantOn[]> {
    const rows = await this.deps.store
      .selectFrom('permission_grant')
      .selectAll()
      .where((eb) =>
        eb.or([
          eb.and([eb('subject_kind', '=', 'user'), eb('subject_key', '=', key)]),
          eb.and([eb('subject_kind', '=', 'role'), eb('subject_key', 'in', ['user', ...roles])]),
        ]),
      )
      .execute()
    return rows.map(toGrantOn)
  }
}

export function toGrantOn(row: GrantRow): GrantOn {
  return {
    objectKind: row.object_kind,
    objectId: row.object_id,
    subjectKind: row.subject_kind,
    subject: row.subject_key,
    verbs: row.verbs.split(',') as Verb[],
  }
}

/** The same words for what does not exist and for what must not be seen. */
export function noSuch(kind: ObjectKind, name: string): BrokerError {
  const shown = name.slice(0, 100)
  return kind === 'machine'
    ? refusal('machine_unknown', { machine: shown })
    : refusal('pool_unknown', { pool: shown })
}

export function requireVerb(
  verbs: ReadonlySet<Verb>,
  verb: Verb,
  kind: ObjectKind,
  name: string,
): void {
  if (!verbs.has(verb)) throw refusal('permission_needed', { kind, name, verb })
}
