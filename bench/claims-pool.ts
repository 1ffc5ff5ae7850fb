import { defaultPolicy } from '../broker/pools/policy.js'
import type { Queries, Store } from '../broker/store/open.js'
import { inTransaction } from '../broker/store/transaction.js'

/** The hosts of the pool. */
export const HOSTS = 10

/** Fills an empty database with a pool "p" of this size, on HOSTS hosts, whose desktops are all free. */
export async function fill(store: Store, size: number): Promise<void> {
  const now = Date.now()
  await inTransaction(store, async (tx) => {
    for (let index = 0; index < HOSTS; index += 1) await addHost(tx, `hv${index}`, now)
    await addPool(tx, size, now)
    for (let index = 0; index < size; index += 1)
      await addMember(tx, `p-${index}`, `hv${index % HOSTS}`, now)
  })
}

async function addHost(tx: Queries, name: string, now: number): Promise<void> {
  await tx
    .insertInto('hypervisor')
    .values({
      name,
      address: 'a',
      port: 22,
      display_address: 'a',
      host_key_fingerprint: '',
      virt_type_setting: 'qemu',
      virt_type: 'qemu',
      images_dir: '/i',
      overlays_dir: '/o',
      transient_dir: '/t',
      max_starts: 4,
      created_at: now,
    })
    .execute()
}

async function addPool(tx: Queries, size: number, now: number): Promise<void> {
  await tx
    .insertInto('pool')
    .values({
      id: 'p',
      name: 'p',
      initial_id: null,
      policy: JSON.stringify({ ...defaultPolicy(), maxPerUser: 100 }),
      hardware: '{}',
      hypervisors: '[]',
      size,
      spares: 0,
      state: 'active',
      needed_at: now,
      created_at: now,
    })
    .execute()
}

async function addMember(
  tx: Queries,
  name: string,
  hypervisor: string,
  now: number,
): Promise<void> {
  await tx
    .insertInto('machine')
    .values({
      id: name,
      name,
      type: 'vdi',
      hypervisor,
      parent_id: null,
      disk: null,
      generation_id: null,
      wanted_generation_id: null,
      memory_mib: 1024,
      vcpus: 1,
      network: 'none',
      firmware: 'bios',
      mac: name,
      serial: name,
      domain_xml: null,
      power: 'off',
      power_since: now,
      wanted_power: null,
      created_at: now,
    })
    .execute()
  await tx
    .insertInto('desktop')
    .values({ machine_id: name, state: 'free', since: now, unclean: null, last_holder: null })
    .execute()
  await tx
    .insertInto('pool_member')
    .values({ pool_id: 'p', machine_id: name, built: 1, claimable: 1, hypervisor, name })
    .execute()
}
