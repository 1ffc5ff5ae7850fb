import type { MachineType } from '../api/machines.js'
import { refusal } from '../errors/broker-error.js'
import { someOf } from '../errors/sentence.js'
import type { Queries } from '../store/open.js'
import type { MachineRow } from '../store/tables.js'
import { childrenOf, requireType } from './store.js'

/** The parent that a type has: a source for an initial, an initial for a vdi machine. */
export const PARENT_TYPE: Readonly<Partial<Record<MachineType, MachineType>>> = {
  initial: 'source',
  vdi: 'initial',
}

/** The name of a machine by its id; undefined for null. */
export async function nameOf(tx: Queries, id: string | null): Promise<string | undefined> {
  return id === null
    ? undefined
    : (await tx.selectFrom('machine').select('name').where('id', '=', id).executeTakeFirst())?.name
}

/**
 * The machine that one of this type is made from, checked. Throws `invalid_request` or `wrong_type`
 * when it may not be.
 */
export async function parentFor(
  tx: Queries,
  type: MachineType,
  parent: string | undefined,
): Promise<MachineRow | null> {
  const wanted = PARENT_TYPE[type]
  if (!wanted) {
    if (parent !== undefined) throw refusal('type_has_no_parent', { type })
    return null
  }
  if (parent === undefined) {
    if (type === 'initial') return null // its source may be named at each copy
    throw refusal('vdi_needs_parent')
  }
  return await requireType(tx, parent, type === 'initial' ? ['source', 'simple'] : [wanted])
}

/** Throws when the machine runs, or when those made from it could not be made from one of the new type. */
export async function refuseTypeChange(
  tx: Queries,
  row: MachineRow,
  type: MachineType,
): Promise<void> {
  if (row.power !== 'off' && row.power !== 'missing')
    throw refusal('type_change_needs_off', { machine: row.name, power: row.power })
  const children = await childrenOf(tx, row.id)
  const fits = children.every(
    (child) => PARENT_TYPE[child.type] === type || (child.type === 'initial' && type === 'simple'),
  )
  if (fits) return
  throw refusal('type_cannot_carry', {
    machine: row.name,
    children: someOf(children.map((child) => child.name)),
    type,
  })
}
