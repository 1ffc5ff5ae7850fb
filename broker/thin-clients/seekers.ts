import type { Store } from '../store/open.js'
import { mapInTurns } from '../turn.js'
import type { Target } from './clients-entry.js'
import { allMacs, believedMacs } from './device-macs.js'
import type { SeenSeeker } from './effects.js'

/** What a device said of itself at its last question. */
type Said = { readonly macs: readonly string[]; readonly address: string }

/**
 * Every device that may look for its entry in clients.xml, with what it has of its own; in a few
 * questions however many there are.
 */
export async function acceptedSeekers(
  store: Store,
  saidBy: (deviceId: string) => Said | undefined,
): Promise<SeenSeeker[]> {
  const rows = await store
    .selectFrom('thin_client')
    .leftJoin('machine', 'machine.id', 'thin_client.assigned_machine_id')
    .leftJoin('pool', 'pool.id', 'thin_client.assigned_pool_id')
    .select([
      'thin_client.id',
      'thin_client.mac',
      'thin_client.address',
      'thin_client.believed_hostname',
      'machine.name as machine',
      'pool.name as pool',
    ])
    .where('accepted', '=', 1)
    .orderBy('thin_client.mac')
    .execute()
  const macs = await allMacs(store)
  return await mapInTurns(rows, (row): SeenSeeker => {
    const said = saidBy(row.id)
    return {
      id: row.id,
      mac: row.mac,
      macs: believedMacs(macs.get(row.id) ?? [], said?.macs ?? [row.mac]),
      hostname: row.believed_hostname ?? '',
      address: said?.address ?? row.address,
      own: ownTargets(row),
    }
  })
}

/** What the administrator has given to the device itself: this goes before clients.xml. */
export function ownTargets({
  machine,
  pool,
}: {
  readonly machine: string | null
  readonly pool: string | null
}): Target[] {
  return [
    ...(machine === null ? [] : [{ protocol: 'spice' as const, machine }]),
    ...(pool === null ? [] : [{ protocol: 'pool' as const, pool }]),
  ]
}
