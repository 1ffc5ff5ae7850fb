import type { Asker, ThinClient } from '../api/thin-clients.js'
import type { ThinClientRow } from '../store/tables.js'
import type { Askers } from './askers.js'
import type { DeviceMac } from './device-macs.js'
import { NOT_ASKED, type Seen, type SeenDevices } from './seen.js'

export interface ViewDeps {
  readonly seen: SeenDevices
  readonly askers: Askers
  readonly now: () => number
}

export type ListedRow = ThinClientRow & {
  readonly assigned: string | null
  readonly assigned_pool: string | null
}

/** Those that ask and wait for a decision: one that has been accepted comes for its key by itself. */
function undecided({ askers: all, now }: ViewDeps, row: ListedRow): Asker[] {
  const askers = all.of(row.id)
  if (row.accept_for === null || row.accept_until <= now()) return askers
  return askers.filter(({ code }) => row.accept_for !== `code:${code}`)
}

/** A device as the API shows it. */
export function toApi(
  deps: ViewDeps,
  row: ListedRow,
  macs: readonly DeviceMac[],
  person: string | null,
): ThinClient {
  const seen = deps.seen.of(row.id) ?? neverSeen(row)
  return {
    id: row.id,
    mac: row.mac,
    macs: [...macs],
    name: row.name,
    askers: undecided(deps, row),
    address: seen.address,
    hostname: seen.hostname,
    version: seen.version,
    state: seen.state,
    sentence: seen.sentence,
    machine: seen.machine,
    assigned: row.assigned,
    assignedPool: row.assigned_pool,
    here: deps.seen.isHere(row.id),
    person,
    accepted: row.accepted === 1,
    showing: seen.showing,
    note: [seen.note, row.note, unbelieved(row, macs, seen.hostname)].filter(Boolean).join(' '),
    firstSeen: new Date(row.first_seen).toISOString(),
    lastSeen: new Date(Math.max(row.last_seen, seen.lastSeenMs)).toISOString(),
  }
}

function neverSeen({ address, hostname, version }: ThinClientRow): Seen {
  return {
    ...{ state: null, sentence: NOT_ASKED, machine: null, showing: null, note: '', lastSeenMs: 0 },
    ...{ address, hostname, version, macs: [] },
  }
}

/** What clients.xml may not mean the device by, although it says so. */
function unbelieved(row: ThinClientRow, macs: readonly DeviceMac[], hostname: string): string {
  if (row.accepted === 0 || row.believed_hostname === null) return ''
  const other = hostname.toLowerCase() !== row.believed_hostname
  const said = [
    ...macs.filter(({ believed }) => !believed).map(({ mac }) => `the MAC ${mac}`),
    ...(other && hostname !== '' ? [`the host name ${hostname}`] : []),
  ]
  return said.length === 0
    ? ''
    : `It also says ${said.join(', ')}, which gives it nothing by clients.xml until you run ` +
        `"berth thin-client accept ${row.id}".`
}
