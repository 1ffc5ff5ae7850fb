import { randomBytes } from 'node:crypto'
import { refusal } from '../errors/broker-error.js'
import type { Queries } from '../store/open.js'

const MOST_DRAWS = 200

/** A locally administered MAC in QEMU's range 52:54:00 (https://wiki.libvirt.org/Networking.html). */
export function randomMac(): string {
  return [
    '52',
    '54',
    '00',
    ...[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0')),
  ].join(':')
}

/** A MAC that no machine of this broker has, drawn until one is free. `draw` is replaced in tests. */
export async function freeMac(tx: Queries, draw = randomMac): Promise<string> {
  for (let tries = 0; tries < MOST_DRAWS; tries++) {
    const mac = draw()
    if ((await ownerOf(tx, [mac])) === null) return mac
  }
  throw refusal('no_free_mac')
}

/** Notes that the machine has these cards. Throws `mac_taken` when another machine has one of them. */
export async function takeMacs(
  tx: Queries,
  machine: { readonly id: string; readonly name: string },
  macs: readonly string[],
): Promise<void> {
  const wanted = [...new Set(macs.map((mac) => mac.toLowerCase()))]
  const other = await ownerOf(tx, wanted)
  if (other !== null && other.id !== machine.id)
    throw refusal('mac_taken', {
      machine: machine.name,
      mac: other.mac,
      other: other.name,
      hypervisor: other.hypervisor,
    })
  for (const mac of wanted)
    await tx
      .insertInto('machine_mac')
      .values({ mac, machine_id: machine.id })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
}

/** Who has one of these MACs; null: nobody. */
export async function ownerOf(
  tx: Queries,
  macs: readonly string[],
): Promise<{ mac: string; id: string; name: string; hypervisor: string } | null> {
  if (macs.length === 0) return null
  return (
    (await tx
      .selectFrom('machine_mac')
      .innerJoin('machine', 'machine.id', 'machine_mac.machine_id')
      .select(['machine_mac.mac', 'machine.id', 'machine.name', 'machine.hypervisor'])
      .where(
        'machine_mac.mac',
        'in',
        macs.map((mac) => mac.toLowerCase()),
      )
      .executeTakeFirst()) ?? null
  )
}
