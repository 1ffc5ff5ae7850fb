import { createHash } from 'node:crypto'
import type { ReportAnswer, ReportRequest } from '../api/thin-clients.js'
import type { Assignments } from '../assignments/service.js'
import type { Observer } from '../machines/observer.js'
import type { Seat } from '../consoles/policy.js'
import { seatOf } from '../consoles/store.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import { nameKey } from '../users/names.js'
import type { DeviceLogins } from './device-logins.js'

export interface NoticesDeps {
  readonly store: Store
  readonly observer: Observer
  readonly assignments: Assignments
  readonly logins: DeviceLogins
}

/**
 * What is to be said over the viewer of a device, and whether it is to be closed. `wakers`: what
 * may change that. Gives no ticket, and touches no viewer.
 */
export async function noticeFor(
  { store, observer, assignments, logins }: NoticesDeps,
  device: ThinClientRow,
  showing: ReportRequest['showing'],
): Promise<ReportAnswer & { wakers: string[] }> {
  const nothing = { notice: null, over: null, wakers: [] }
  if (showing === null || (showing.protocol !== 'spice' && showing.protocol !== 'rdp'))
    return nothing
  const machine = await store
    .selectFrom('machine')
    .select(['id', 'name'])
    .where('name', '=', showing.title)
    .executeTakeFirst()
  if (!machine) return nothing
  const holders = await holdersAt(store, device)
  const over =
    (await logins.over(device.id, machine.id)) ??
    (showing.protocol === 'rdp'
      ? await notHis(store, machine.id, holders, logins.whyEnded(device.id))
      : null)
  const warning = await assignments.warning(machine.id, holders)
  const seat = await seatOf(store, machine.id)
  const isHere = seat !== null && isSeatOf(seat, device, holders)
  const watchers = isHere ? observer.occupancy.watchers(machine.id) : []
  const message = await assignments.messageOfHost(machine.id)
  const notice = noticeOf(machine.id, warning, message, watchers)
  return { notice, over, wakers: [`machine:${machine.id}`] }
}

function isSeatOf({ holder }: Seat, device: ThinClientRow, holders: readonly string[]): boolean {
  return holder.kind === 'device'
    ? holder.name === device.mac
    : holders.includes(`user:${nameKey(holder.name)}`)
}

/** What is to be said, in one notice: that the desktop is taken away, the host's message, who is watching. */
function noticeOf(
  machineId: string,
  warning: { readonly sentence: string; readonly takenAt: string } | null,
  message: string,
  watchers: readonly string[],
): ReportAnswer['notice'] {
  const sentences = warning ? [warning.sentence] : []
  if (message !== '') sentences.push(message)
  if (watchers.length > 0)
    sentences.push(
      `${watchers.join(', ')} ${watchers.length === 1 ? 'is' : 'are'} looking at this screen.`,
    )
  if (sentences.length === 0) return null
  const said = [...(message === '' ? [] : [message]), ...watchers]
  return {
    id: noticeId(machineId, warning?.takenAt ?? '', said),
    sentence: sentences.join(' '),
    takenAt: warning?.takenAt ?? null,
  }
}

/**
 * A display is cut by its host; RDP goes past it, so the device itself closes what is another's
 * now. Of a machine in no pool clients.xml alone decides.
 */
async function notHis(
  store: Store,
  machineId: string,
  holders: readonly string[],
  why: string | null,
): Promise<string | null> {
  const member = await store
    .selectFrom('pool_member')
    .select('pool_id')
    .where('machine_id', '=', machineId)
    .limit(1)
    .executeTakeFirst()
  const held = await store
    .selectFrom('assignment')
    .select('holder')
    .where('machine_id', '=', machineId)
    .executeTakeFirst()
  return member === undefined || (held && holders.includes(held.holder))
    ? null
    : (why ?? 'This desktop is not yours any more.')
}

/** Who has what a device shows by RDP counts as using it: no host sees that viewer. */
export async function noteRdpInUse(
  { store, assignments }: Pick<NoticesDeps, 'store' | 'assignments'>,
  device: ThinClientRow,
  showing: ReportRequest['showing'],
): Promise<void> {
  if (showing?.protocol !== 'rdp') return
  const machine = await store
    .selectFrom('machine')
    .select('id')
    .where('name', '=', showing.title)
    .executeTakeFirst()
  if (machine)
    for (const holder of await holdersAt(store, device))
      await assignments.noteTicket(machine.id, holder)
}

/** In whose name a device shows what it shows: its own, or that of the person who is logged in at it. */
async function holdersAt(store: Store, device: ThinClientRow): Promise<string[]> {
  const login = await store
    .selectFrom('device_login')
    .select('account')
    .where('thin_client_id', '=', device.id)
    .where('ends', 'is', null)
    .executeTakeFirst()
  return [`thin-client:${device.id}`, ...(login ? [`user:${nameKey(login.account)}`] : [])]
}

/** The same warning has the same name however its sentence counts down. */
function noticeId(machineId: string, takenAt: string, watchers: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([machineId, takenAt, watchers]))
    .digest('base64url')
    .slice(0, 16)
}
