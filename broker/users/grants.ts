import {
  type Grant,
  type GrantPlace,
  type GrantQuery,
  type GrantSet,
  type ObjectKind,
  OBJECT_KINDS,
  type Permissions as PermissionsAnswer,
  RoleName,
  VERBS,
} from '../api/permissions.js'
import { Value } from '@sinclair/typebox/value'
import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { nameKey, personName } from './names.js'
import {
  type AllObjectFacts,
  noSuch,
  type ObjectFacts,
  Permissions,
  toGrantOn,
} from './permissions.js'
import { type Facts, siteRoleOf, type Reason, reasonsOn } from './verbs.js'
import { rolesOf } from './caller.js'

export interface GrantsDeps {
  readonly store: Store
  readonly facts: ObjectFacts
  readonly allFacts: AllObjectFacts
}

/** Grants on pools and machines, by name. */
export class Grants {
  constructor(readonly deps: GrantsDeps) {}

  async list(query: GrantQuery): Promise<Grant[]> {
    const names = new Map<string, string>()
    for (const kind of OBJECT_KINDS)
      for (const { id, name } of await this.deps.allFacts(kind)) names.set(`${kind} ${id}`, name)
    const rows = await this.deps.store
      .selectFrom('permission_grant')
      .selectAll()
      .orderBy('object_kind')
      .orderBy('object_id')
      .orderBy('subject_kind')
      .orderBy('subject_key')
      .execute()
    const grants = rows.flatMap((row): Grant[] => {
      const object = names.get(`${row.object_kind} ${row.object_id}`)
      return object === undefined
        ? []
        : [
            {
              kind: row.object_kind,
              object,
              subjectKind: row.subject_kind,
              subject: row.subject,
              verbs: toGrantOn(row).verbs.slice(),
            },
          ]
    })
    return grants.filter(
      (grant) =>
        (query.kind ?? grant.kind) === grant.kind &&
        (query.object ?? grant.object).toLowerCase() === grant.object.toLowerCase() &&
        (query.subjectKind ?? grant.subjectKind) === grant.subjectKind &&
        nameKey(query.subject ?? grant.subject) === nameKey(grant.subject),
    )
  }

  /** Replaces what the subject may do with the object. The person need not have logged in yet. Throws `not_found`. */
  async set(wish: GrantSet, by: Actor): Promise<Grant> {
    const on = { ...(await this.#facts(wish)), kind: wish.kind }
    return await inTransaction(this.deps.store, async (tx) => await setGrant(tx, on, wish, by))
  }

  /** Throws `not_found`, also when there was none. */
  async remove(where: GrantPlace, by: Actor): Promise<void> {
    const on = { ...(await this.#facts(where)), kind: where.kind }
    await inTransaction(this.deps.store, async (tx) => {
      await removeGrant(tx, on, where, by)
    })
  }

  /** What a person may do with each pool and machine, with the reasons; also of one who has never logged in. */
  async explain(name: string): Promise<PermissionsAnswer> {
    const account = await this.deps.store
      .selectFrom('account')
      .select(['name', 'name_key', 'disabled'])
      .where('name_key', '=', nameKey(name))
      .executeTakeFirst()
    const roles = account ? await rolesOf(this.deps.store, account.name) : []
    const person = { key: nameKey(name), roles }
    const grants = await new Permissions(this.deps).grantsOf(person)
    const pools = new Map((await this.deps.allFacts('pool')).map((pool) => [pool.id, pool.name]))
    const objects: PermissionsAnswer['objects'] = []
    for (const kind of OBJECT_KINDS) {
      for (const facts of await this.deps.allFacts(kind)) {
        const reasons = reasonsOn(person, { kind, ...facts }, grants)
        if (reasons.length === 0) continue
        const verbs = VERBS.filter((verb) => reasons.some((reason) => reason.verbs.has(verb)))
        objects.push({
          kind,
          object: facts.name,
          verbs,
          because: reasons.map((reason) => sentenceFor(reason, kind, facts, pools)),
        })
      }
    }
    return { name: account?.name ?? personName(name), role: siteRoleOf(roles), roles, objects }
  }

  async #facts({ kind, object }: { kind: ObjectKind; object: string }): Promise<Facts> {
    const facts = await this.deps.facts(kind, object)
    if (!facts) throw noSuch(kind, object)
    return facts
  }
}

export interface GrantedObject {
  readonly kind: ObjectKind
  readonly id: string
  readonly name: string
}

/** All grants on a pool or machine. */
export async function grantsOn(
  queries: Queries,
  { kind, id }: Pick<GrantedObject, 'kind' | 'id'>,
): Promise<Array<Pick<Grant, 'subjectKind' | 'subject' | 'verbs'>>> {
  const rows = await queries
    .selectFrom('permission_grant')
    .selectAll()
    .where('object_kind', '=', kind)
    .where('object_id', '=', id)
    .orderBy('subject_kind')
    .orderBy('subject_key')
    .execute()
  return rows.map((row) => ({
    subjectKind: row.subject_kind,
    subject: row.subject,
    verbs: toGrantOn(row).verbs.slice(),
  }))
}

/** As `Grants.set`, inside the caller's transaction. */
export async function setGrant(
  tx: Queries,
  on: GrantedObject,
  wish: Pick<GrantSet, 'subjectKind' | 'subject' | 'verbs'>,
  by: Actor,
): Promise<Grant> {
  const { subjectKind } = wish
  const subject = subjectOf(wish)
  const verbs = VERBS.filter((verb) => wish.verbs.includes(verb))
  const place = {
    object_kind: on.kind,
    object_id: on.id,
    subject_kind: subjectKind,
    subject_key: nameKey(subject),
  }
  const before = await grantAt(tx, place)
  await tx
    .insertInto('permission_grant')
    .values({
      ...place,
      subject,
      machine_id: on.kind === 'machine' ? on.id : null,
      verbs: verbs.join(','),
      created_at: Date.now(),
    })
    .onConflict((oc) =>
      oc
        .columns(['object_kind', 'object_id', 'subject_kind', 'subject_key'])
        .doUpdateSet({ verbs: verbs.join(',') }),
    )
    .execute()
  await recordEvent(tx, by, 'grant.set', `${on.kind}:${on.name}`, {
    [subjectKind]: subject,
    before,
    after: verbs,
  })
  return { kind: on.kind, object: on.name, subjectKind, subject, verbs }
}

/** As `Grants.remove`, inside the caller's transaction. */
export async function removeGrant(
  tx: Queries,
  on: GrantedObject,
  { subjectKind, subject }: Pick<GrantPlace, 'subjectKind' | 'subject'>,
  by: Actor,
): Promise<void> {
  const place = {
    object_kind: on.kind,
    object_id: on.id,
    subject_kind: subjectKind,
    subject_key: nameKey(subject),
  }
  const before = await grantAt(tx, place)
  if (before.length === 0)
    throw refusal('grant_unknown', { subjectKind, subject, kind: on.kind, name: on.name })
  await tx
    .deleteFrom('permission_grant')
    .where('object_kind', '=', place.object_kind)
    .where('object_id', '=', place.object_id)
    .where('subject_kind', '=', place.subject_kind)
    .where('subject_key', '=', place.subject_key)
    .execute()
  await recordEvent(tx, by, 'grant.remove', `${on.kind}:${on.name}`, {
    [subjectKind]: subject,
    before,
    after: [],
  })
}

/** For those who delete a pool, in the same transaction. (A machine's grants go with its row.) */
export async function forgetGrants(queries: Queries, kind: ObjectKind, id: string): Promise<void> {
  await queries
    .deleteFrom('permission_grant')
    .where('object_kind', '=', kind)
    .where('object_id', '=', id)
    .execute()
}

async function grantAt(
  queries: Queries,
  place: {
    object_kind: ObjectKind
    object_id: string
    subject_kind: 'user' | 'role'
    subject_key: string
  },
): Promise<readonly string[]> {
  const row = await queries
    .selectFrom('permission_grant')
    .selectAll()
    .where('object_kind', '=', place.object_kind)
    .where('object_id', '=', place.object_id)
    .where('subject_kind', '=', place.subject_kind)
    .where('subject_key', '=', place.subject_key)
    .executeTakeFirst()
  return row ? toGrantOn(row).verbs : []
}

function subjectOf({ subjectKind, subject }: Pick<GrantSet, 'subjectKind' | 'subject'>): string {
  if (subjectKind === 'user') return personName(subject)
  if (!Value.Check(RoleName, subject))
    throw refusal('role_name_wrong', { form: RoleName.description ?? '' })
  return nameKey(subject)
}

function sentenceFor(
  { grant, verbs }: Reason,
  kind: ObjectKind,
  facts: Facts,
  pools: ReadonlyMap<string, string>,
): string {
  if (grant === null) return 'An administrator assigned it by hand.'
  const to =
    grant.subjectKind === 'user'
      ? 'the person'
      : grant.subject === 'user'
        ? 'everybody'
        : `the role ${grant.subject}`
  const on =
    grant.objectKind === kind
      ? `this ${kind}`
      : `the pool ${pools.get(grant.objectId) ?? grant.objectId}`
  const held =
    grant.objectKind === 'pool' && kind === 'machine'
      ? facts.holder?.pool === grant.objectId && verbs.size > 0
        ? ', of which it is a member'
        : ', for every member'
      : ''
  return `A grant to ${to} on ${on}${held}: ${grant.verbs.join(', ')}.`
}
