import { allObjectFacts, objectFacts } from '../../../broker/assignments/object-facts.js'
import { BERTH } from '../../../broker/audit/store.js'
import type { Store } from '../../../broker/store/open.js'
import { Grants } from '../../../broker/users/grants.js'
import { Permissions } from '../../../broker/users/permissions.js'

export function permissionsOf(store: Store): Permissions {
  return new Permissions({ store, facts: objectFacts(store), allFacts: allObjectFacts(store) })
}

/** Lets somebody have desktops of the pool, or takes that away. */
export async function setGrant(
  store: Store,
  user: string,
  pool: string,
  permitted: boolean,
): Promise<void> {
  const grants = new Grants({ store, facts: objectFacts(store), allFacts: allObjectFacts(store) })
  const place = { kind: 'pool', object: pool, subjectKind: 'user', subject: user } as const
  if (permitted) await grants.set({ ...place, verbs: ['start', 'accessConsole'] }, BERTH)
  else await grants.remove(place, BERTH)
}
