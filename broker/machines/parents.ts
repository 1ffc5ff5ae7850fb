import type { MachineType } from '../api/machines.js'
import { BrokerError } from '../errors.js'
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
    if (parent !== undefined)
      throw new BrokerError(
        'invalid_request',
        `A ${type} machine has no parent: leave "parent" out.`,
      )
    return null
  }
  if (parent === undefined) {
    if (type === 'initial') return null // its source may be named at each copy
    throw new BrokerError(
      'invalid_request',
      'A vdi machine needs the initial machine it is made from: give "parent".',
    )
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
    throw new BrokerError(
      'machine_running',
      `${row.name} is ${row.power}: shut it down before its type or parent is changed.`,
    )
  const children = await childrenOf(tx, row.id)
  const fits = children.every(
    (child) => PARENT_TYPE[child.type] === type || (child.type === 'initial' && type === 'simple'),
  )
  if (fits) return
  const names = children.slice(0, 5).map((child) => child.name)
  const [are, them] = children.length === 1 ? ['is', 'it'] : ['are', 'them']
  throw new BrokerError(
    'has_dependants',
    `${names.join(', ')} ${are} made from ${row.name}: a ${type} machine cannot carry ${them}.`,
  )
}
