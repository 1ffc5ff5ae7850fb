import type { Directories, HypervisorAdd } from '../api/hypervisors.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import { someOf } from '../errors/sentence.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { HypervisorRow } from '../store/tables.js'
import type { LinkSettings } from './hypervisor.js'

export const DEFAULT_DIRECTORIES: Directories = {
  images: '/var/lib/berth/images',
  overlays: '/var/lib/berth/overlays',
  transient: '/var/lib/berth/transient',
}
const DEFAULT_MAX_STARTS = 2

/** What was asked for, and for the rest what is usual. */
export function newHypervisor(wish: HypervisorAdd, port: number): HypervisorRow {
  const directories = { ...DEFAULT_DIRECTORIES, ...wish.directories }
  return {
    name: wish.name,
    address: wish.address,
    port,
    display_address: wish.displayAddress ?? wish.address,
    listen_address: wish.listenAddress ?? 'auto',
    listen_found: null,
    host_key_fingerprint: wish.fingerprint,
    virt_type_setting: wish.virtType ?? 'auto',
    virt_type: null,
    images_dir: directories.images,
    overlays_dir: directories.overlays,
    transient_dir: directories.transient,
    max_starts: wish.maxStarts ?? DEFAULT_MAX_STARTS,
    maintenance: 0,
    maintenance_reason: '',
    created_at: Date.now(),
  }
}

export function linkSettings(row: HypervisorRow): LinkSettings {
  return {
    name: row.name,
    address: row.address,
    port: row.port,
    hostKeyFingerprint: row.host_key_fingerprint,
    directories: {
      images: row.images_dir,
      overlays: row.overlays_dir,
      transient: row.transient_dir,
    },
  }
}

/** Throws `name_taken`. */
export async function insertHypervisor(store: Store, row: HypervisorRow, by: Actor): Promise<void> {
  await inTransaction(store, async (tx) => {
    const machine = await tx
      .selectFrom('machine')
      .select('name')
      .where('name', '=', row.name)
      .executeTakeFirst()
    if (machine) throw refusal('hypervisor_named_like_machine', { machine: machine.name })
    await tx.insertInto('hypervisor').values(row).execute()
    await recordEvent(tx, by, 'hypervisor.add', `hypervisor:${row.name}`, {
      address: row.address,
      fingerprint: row.host_key_fingerprint,
    })
  })
}

/** With its machines. Throws `has_dependants` while there are any, unless forced. */
export async function deleteHypervisor(
  store: Store,
  name: string,
  force: boolean,
  by: Actor,
): Promise<void> {
  await inTransaction(store, async (tx) => {
    const machines = await tx
      .selectFrom('machine')
      .select('name')
      .where('hypervisor', '=', name)
      .limit(6)
      .execute()
    if (machines.length > 0 && !force) throw stillNeeded(name, machines)
    await tx
      .updateTable('machine')
      .set({ parent_id: null, generation_id: null, wanted_generation_id: null })
      .where('hypervisor', '=', name)
      .execute()
    await tx
      .updateTable('machine')
      .set({ parent_id: null, generation_id: null, wanted_generation_id: null })
      .where('parent_id', 'in', (eb) =>
        eb.selectFrom('machine').select('id').where('hypervisor', '=', name),
      )
      .execute()
    await tx.deleteFrom('machine').where('hypervisor', '=', name).execute()
    await tx.deleteFrom('hypervisor').where('name', '=', name).execute()
    await recordEvent(tx, by, 'hypervisor.remove', `hypervisor:${name}`, { force })
  })
}

function stillNeeded(
  name: string,
  machines: ReadonlyArray<{ readonly name: string }>,
): BrokerError {
  return refusal('hypervisor_has_machines', {
    hypervisor: name,
    machines: someOf(machines.map((machine) => machine.name)),
  })
}

/** Throws `name_taken` where there is one of this name, or at this address. */
export function refuseTwin(
  rows: readonly HypervisorRow[],
  { name, address }: HypervisorAdd,
  port: number,
): void {
  if (rows.some((row) => row.name === name)) throw refusal('hypervisor_taken', { hypervisor: name })
  const twin = rows.find((row) => row.address === address && row.port === port)
  if (twin) throw refusal('hypervisor_address_taken', { address, port, hypervisor: twin.name })
}

/** The kind of virtualisation its guests run under. Throws while it has not been probed. */
export function requireVirtType(row: HypervisorRow): 'kvm' | 'qemu' {
  const type = row.virt_type_setting === 'auto' ? row.virt_type : row.virt_type_setting
  if (!type) throw refusal('virt_type_unknown', { hypervisor: row.name })
  return type
}
