import { createHash } from 'node:crypto'
import type { ThinClientRow } from '../store/tables.js'
import type { Caller } from './askers.js'
import { believedMacs, type DeviceMac } from './device-macs.js'

/**
 * known: it has shown its key, or is given one now; `macs` and `hostname` are those by which
 * clients.xml may mean it. Otherwise the sentence says why not; `device` is the row that it has
 * made, `about` the one that an administrator would accept for it, and `code` what tells it from
 * others that ask for that.
 */
export type Identity =
  | {
      readonly known: true
      readonly device: ThinClientRow
      readonly newKey: string | null
      readonly macs: readonly string[]
      readonly hostname: string
    }
  | {
      readonly known: false
      readonly device: ThinClientRow | null
      readonly sentence: string
      readonly about: string | null
      readonly code: string | null
    }
export type Known = Extract<Identity, { known: true }>
export type Unknown = Extract<Identity, { known: false }>

/** A key that was not shown by then never arrived: whoever got it would have asked again within seconds. */
const KEY_LOST_AFTER_MS = 30_000

/** Who asks, and in the place of which of these rows: those that have one of its MACs. */
export interface Newcomer {
  readonly caller: Caller
  readonly trusted: boolean
  readonly rows: ReadonlyArray<
    ThinClientRow & { readonly said_mac: string; readonly believed: 0 | 1 }
  >
}

export function nobody(sentence: string): Unknown {
  return { known: false, device: null, about: null, code: null, sentence }
}

export function known(
  device: ThinClientRow,
  key: string | null,
  macs: readonly DeviceMac[],
  caller: Caller,
): Known {
  return {
    known: true,
    device,
    newKey: key,
    macs: believedMacs(macs, caller.macs),
    hostname: device.believed_hostname ?? '',
  }
}

export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

/** The MACs that belong to no accepted device. */
export function freeMacs({ caller, rows }: Pick<Newcomer, 'caller' | 'rows'>): string[] {
  const taken = rows.filter((row) => row.accepted === 1 && row.believed === 1)
  return caller.macs.filter((mac) => !taken.some((row) => row.said_mac === mac))
}

export function isKeyOnItsWay(row: {
  readonly accepted: number
  readonly believed: number
  readonly key_shown: number
}): boolean {
  return row.accepted === 1 && row.believed === 1 && row.key_shown === 0
}

/**
 * Whether one that comes from here may be who asked first. Once an administrator has said who of
 * them it is, it is nobody else, also not who asked first or stands beside it.
 */
export function mayBeFirst(
  row: { readonly accept_until: number; readonly key_given_at: number; readonly address: string },
  address: string,
  now: number,
): boolean {
  if (row.accept_until > now) return false
  return now - row.key_given_at > KEY_LOST_AFTER_MS || row.address === address
}

/** One that has the MACs of a known device, and not its key. */
export function mayBeKnown({ id, mac }: ThinClientRow, code: string): Unknown {
  return {
    known: false,
    device: null,
    about: id,
    code,
    sentence:
      `A device with this address (${mac}) is known, and this one does not show its ` +
      `key. Ask the administrator to run "berth thin-client accept ${id} ` +
      `--code ${code}" if it is the same device.`,
  }
}

/** One that waits to be accepted. `isRow`: the row shows what this one says. */
export function waits(row: ThinClientRow, code: string, isRow: boolean): Unknown {
  return {
    known: false,
    device: isRow ? row : null,
    about: row.id,
    code,
    sentence:
      `This device (${row.mac}) is not accepted yet. Ask the administrator to run "berth ` +
      `thin-client accept ${row.id} --code ${code}".`,
  }
}
