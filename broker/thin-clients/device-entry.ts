import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import type { ClientEntry } from './clients-entry.js'
import type { ClientsXmlFile } from './clients-file.js'
import { believedMacs, macsOf } from './device-macs.js'
import { inWords } from './effects.js'
import { ownTargetsOf } from './evaluation.js'
import { entryFor } from './match.js'
import type { Seen } from './seen.js'

interface EntryDeps {
  readonly store: Store
  readonly clientsXml: ClientsXmlFile
}

/** What clients.xml has for a device that says these MACs, of which it counts those that are believed. */
export async function entryOf(
  { store, clientsXml }: EntryDeps,
  device: ThinClientRow,
  said: readonly string[],
  address: string,
): Promise<ClientEntry | null> {
  return entryFor(clientsXml.current, {
    macs: believedMacs(await macsOf(store, device.id), said),
    hostname: device.believed_hostname ?? '',
    address,
  })
}

/** What a device gets, first choice first: its own, then what clients.xml says. */
export async function targetsInWords(
  deps: EntryDeps,
  device: ThinClientRow,
  seen: Seen | undefined,
): Promise<string[]> {
  const entry = await entryOf(
    deps,
    device,
    seen?.macs ?? [device.mac],
    seen?.address ?? device.address,
  )
  return [...(await ownTargetsOf(deps.store, device)), ...(entry?.targets ?? [])].map(inWords)
}
