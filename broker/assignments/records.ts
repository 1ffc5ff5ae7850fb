import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { nullable } from '../api/common.js'
import type { DomainMetadata } from '../hypervisors/domain-xml.js'
import { generationName } from '../images/store.js'
import { shownHolder } from '../occupancy/policy.js'
import type { Queries } from '../store/open.js'
import type { MachineRow } from '../store/tables.js'

const Flag = Type.Union([Type.Literal(0), Type.Literal(1)])
const Text = Type.String({ maxLength: 10_000 })
const Time = nullable(Type.Integer())

/** A pool as each of its members carries it. */
export const PoolRecord = Type.Object({
  name: Text,
  namespace: Text,
  initial: nullable(Text),
  initialMade: Flag,
  policy: Text,
  hardware: Text,
  hypervisors: Text,
  size: Type.Integer(),
  maintenance: Flag,
  maintenanceReason: Text,
  createdAt: Type.Integer(),
  built: nullable(Flag),
  grants: Type.Array(Type.Tuple([Text, Text, Text])),
})
export type PoolRecord = Static<typeof PoolRecord>

/**
 * What a machine's domain carries in its metadata, so that a lost database can be made again. Field
 * names are short because it is text in an attribute.
 */
export const MachineRecord = Type.Object({
  v: Type.Literal(1),
  type: Type.Union([
    Type.Literal('simple'),
    Type.Literal('source'),
    Type.Literal('initial'),
    Type.Literal('vdi'),
  ]),
  parent: nullable(Text),
  disk: nullable(Text),
  generation: nullable(Text),
  // A domain without a network card has no place for it.
  mac: Type.Optional(Text),
  adopted: Flag,
  ownXml: Type.Boolean(),
  maintenance: Flag,
  maintenanceReason: Text,
  generations: Type.Array(
    Type.Object({
      number: Type.Integer(),
      file: Text,
      source: nullable(Text),
      current: Flag,
      bytes: Time,
      virtualBytes: Time,
      sha256: nullable(Text),
      method: nullable(Text),
      createdAt: Type.Integer(),
      on: Type.Array(Text),
    }),
  ),
  pools: Type.Array(PoolRecord),
  usedBy: Type.Array(PoolRecord),
  desktop: nullable(
    Type.Object({
      state: Text,
      unclean: nullable(Type.Union([Type.Literal('stop'), Type.Literal('rebuild')])),
      lastHolder: nullable(Text),
      fresh: Flag,
      usedAt: Type.Integer(),
    }),
  ),
  assignment: nullable(
    Type.Object({
      pool: nullable(Text),
      holder: Text,
      byAdministrator: Flag,
      fixed: Flag,
      assignedAt: Type.Integer(),
      startedAt: Time,
    }),
  ),
})
export type MachineRecord = Static<typeof MachineRecord>

/** What the domain of a machine is to carry now: the words that a person reads in `virsh dumpxml`, and the record. */
export async function metadataOf(queries: Queries, machine: MachineRow): Promise<DomainMetadata> {
  const record = await recordOf(queries, machine)
  const pools = record.pools.map((pool) => pool.name)
  return {
    ...(pools.length === 0 ? {} : { pool: pools.join(' ') }),
    ...(record.generation === null ? {} : { generation: record.generation }),
    ...(record.assignment === null ? {} : { assignment: shownHolder(record.assignment.holder) }),
    record: JSON.stringify(record),
  }
}

/** null for what is no record of this version. */
export function readRecord(text: string | undefined): MachineRecord | null {
  if (text === undefined) return null
  try {
    const value: unknown = JSON.parse(text)
    return Value.Check(MachineRecord, value) ? value : null
  } catch {
    return null
  } // somebody wrote something else there
}

async function recordOf(queries: Queries, machine: MachineRow): Promise<MachineRecord> {
  const parent =
    machine.parent_id === null
      ? undefined
      : await queries
          .selectFrom('machine')
          .select('name')
          .where('id', '=', machine.parent_id)
          .executeTakeFirst()
  const generation =
    machine.generation_id === null
      ? undefined
      : await queries
          .selectFrom('generation')
          .select('number')
          .where('id', '=', machine.generation_id)
          .executeTakeFirst()
  const desktop = await queries
    .selectFrom('desktop')
    .selectAll()
    .where('machine_id', '=', machine.id)
    .executeTakeFirst()
  const held = await queries
    .selectFrom('assignment')
    .leftJoin('pool', 'pool.id', 'assignment.pool_id')
    .selectAll('assignment')
    .select('pool.name as pool')
    .where('machine_id', '=', machine.id)
    .executeTakeFirst()
  return {
    v: 1,
    type: machine.type,
    parent: parent?.name ?? null,
    disk: machine.disk,
    generation: generation ? generationName(generation) : null,
    mac: machine.mac,
    adopted: machine.adopted,
    ownXml: machine.domain_xml !== null,
    maintenance: machine.maintenance,
    maintenanceReason: machine.maintenance_reason,
    generations: machine.type === 'initial' ? await generationsOf(queries, machine.id) : [],
    pools: await poolRecords(queries, { member: machine.id }),
    usedBy: machine.type === 'initial' ? await poolRecords(queries, { initial: machine.id }) : [],
    desktop: desktop
      ? {
          state: desktop.state,
          unclean: desktop.unclean,
          lastHolder: desktop.last_holder,
          fresh: desktop.fresh,
          usedAt: desktop.used_at,
        }
      : null,
    assignment: held
      ? {
          pool: held.pool,
          holder: held.holder,
          byAdministrator: held.by_administrator,
          fixed: held.fixed,
          assignedAt: held.assigned_at,
          startedAt: held.started_at,
        }
      : null,
  }
}

async function generationsOf(
  queries: Queries,
  initialId: string,
): Promise<MachineRecord['generations']> {
  const rows = await queries
    .selectFrom('generation')
    .selectAll()
    .where('initial_id', '=', initialId)
    .where('state', '=', 'ready')
    .orderBy('number')
    .execute()
  return await Promise.all(
    rows.map(async (row) => ({
      number: row.number,
      file: row.file,
      source: row.source_name,
      current: row.current,
      bytes: row.bytes,
      virtualBytes: row.virtual_bytes,
      sha256: row.sha256,
      method: row.method,
      createdAt: row.created_at,
      on: (
        await queries
          .selectFrom('generation_copy')
          .select('hypervisor')
          .where('generation_id', '=', row.id)
          .orderBy('hypervisor')
          .execute()
      ).map((copy) => copy.hypervisor),
    })),
  )
}

async function poolRecords(
  queries: Queries,
  of: { member: string } | { initial: string },
): Promise<PoolRecord[]> {
  const rows = await queries
    .selectFrom('pool')
    .leftJoin('machine as initial', 'initial.id', 'pool.initial_id')
    .leftJoin('pool_member', (join) =>
      join
        .onRef('pool_member.pool_id', '=', 'pool.id')
        .on('pool_member.machine_id', '=', 'member' in of ? of.member : ''),
    )
    .selectAll('pool')
    .select(['initial.name as initial', 'pool_member.built'])
    .$if('member' in of, (q) => q.where('pool_member.machine_id', 'is not', null))
    .$if('initial' in of, (q) => q.where('pool.initial_id', '=', 'initial' in of ? of.initial : ''))
    .where('pool.state', '=', 'active')
    .orderBy('pool.name')
    .execute()
  return await Promise.all(
    rows.map(async (row): Promise<PoolRecord> => ({
      name: row.name,
      namespace: row.namespace,
      initial: row.initial,
      initialMade: row.initial_made,
      policy: row.policy,
      hardware: row.hardware,
      hypervisors: row.hypervisors,
      size: row.size,
      maintenance: row.maintenance,
      maintenanceReason: row.maintenance_reason,
      createdAt: row.created_at,
      built: row.built,
      grants: (
        await queries
          .selectFrom('permission_grant')
          .selectAll()
          .where('object_kind', '=', 'pool')
          .where('object_id', '=', row.id)
          .orderBy('subject_kind')
          .orderBy('subject_key')
          .execute()
      ).map((grant) => [grant.subject_kind, grant.subject, grant.verbs]),
    })),
  )
}
