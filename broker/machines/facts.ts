import type { Store } from '../store/open.js'
import type { AllObjectFacts, ObjectFacts } from '../users/permissions.js'

/** What permissions on a machine depend on. */
export function machineFacts (store: Store): ObjectFacts {
  return async (kind, name) => {
    if (kind !== 'machine') return null
    const row = await store.selectFrom('machine').select(['id', 'name']).where('name', '=', name).executeTakeFirst()
    return row ? { ...row, pools: [], holder: null } : null
  }
}

export function allMachineFacts (store: Store): AllObjectFacts {
  return async (kind) => {
    if (kind !== 'machine') return []
    const rows = await store.selectFrom('machine').select(['id', 'name']).orderBy('name').execute()
    return rows.map((row) => ({ ...row, pools: [], holder: null }))
  }
}
