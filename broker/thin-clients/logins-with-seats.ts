import type { Seat } from '../consoles/policy.js'
import { seatsOf } from '../consoles/store.js'
import type { Store } from '../store/open.js'
import type { DeviceLoginRow } from '../store/tables.js'
import { Turn } from '../turn.js'

/** Logins in one question. */
const AT_ONCE = 500

export interface LoginWithSeat {
  readonly row: DeviceLoginRow
  /** Whether the account is. */
  readonly disabled: boolean
  /** Of the desktop that was opened there. */
  readonly seat: Seat | null
}

/** Every login at a thin client, in turns: a question for some hundreds, not for each. */
export async function* loginsWithSeats(store: Store): AsyncGenerator<LoginWithSeat> {
  const rows = await store
    .selectFrom('device_login')
    .innerJoin('account', 'account.name', 'device_login.account')
    .selectAll('device_login')
    .select('account.disabled')
    .execute()
  const turn = new Turn()
  for (let from = 0; from < rows.length; from += AT_ONCE) {
    const some = rows.slice(from, from + AT_ONCE)
    const seats = await seatsOf(
      store,
      some.flatMap(({ machine_id: id }) => id ?? []),
    )
    for (const { disabled, ...row } of some) {
      const seat = row.machine_id === null ? null : (seats.get(row.machine_id) ?? null)
      yield { row, disabled: disabled === 1, seat }
      await turn.passed()
    }
  }
}
