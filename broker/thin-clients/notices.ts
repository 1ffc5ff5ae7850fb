import { createHash } from 'node:crypto'
import type { ReportAnswer, ReportRequest } from '../api/thin-clients.js'
import type { Assignments } from '../assignments/service.js'
import type { Consoles } from '../consoles/service.js'
import { seatOf } from '../consoles/store.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import { nameKey } from '../users/names.js'
import type { DeviceLogins } from './device-logins.js'

export interface NoticesDeps { readonly store: Store, readonly assignments: Assignments, readonly consoles: Consoles, readonly logins: DeviceLogins }

/** What is to be said over the viewer of a device, and whether it is to be closed. `wakers`: what may change that. Gives no ticket, and touches no viewer. */
export async function noticeFor ({ store, assignments, consoles, logins }: NoticesDeps, device: ThinClientRow, showing: ReportRequest['showing']): Promise<ReportAnswer & { wakers: string[] }> {
  const nothing = { notice: null, over: null, wakers: [] }
  if (showing === null || showing.protocol !== 'spice') return nothing
  const machine = await store.selectFrom('machine').select(['id', 'name']).where('name', '=', showing.title).executeTakeFirst()
  if (!machine) return nothing
  const over = await logins.over(device.id, machine.id)
  const login = await store.selectFrom('device_login').select('account').where('thin_client_id', '=', device.id).where('ends', 'is', null).executeTakeFirst()
  const warning = await assignments.warning(machine.id, [`thin-client:${device.id}`, ...(login ? [`user:${nameKey(login.account)}`] : [])])
  const seat = await seatOf(store, machine.id)
  const watchers = seat?.holder.kind === 'device' && seat.holder.name === device.mac ? consoles.watchers(machine.id) : []
  const sentences = [...(warning ? [warning.sentence] : []), ...(watchers.length > 0 ? [`${watchers.join(', ')} ${watchers.length === 1 ? 'is' : 'are'} looking at this screen.`] : [])]
  const notice = sentences.length === 0 ? null : { id: noticeId(machine.id, warning?.takenAt ?? '', watchers), sentence: sentences.join(' '), takenAt: warning?.takenAt ?? null }
  return { notice, over, wakers: [`machine:${machine.id}`] }
}

/** The same warning has the same name however its sentence counts down. */
function noticeId (machineId: string, takenAt: string, watchers: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify([machineId, takenAt, watchers])).digest('base64url').slice(0, 16)
}
