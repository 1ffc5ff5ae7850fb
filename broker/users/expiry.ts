import type { SteadyClock } from '../steady-clock.js'
import type { Store } from '../store/open.js'
import { FORGET_MS } from './login-limits.js'
import type { Sessions } from './sessions.js'
import { LOGIN_TOKEN_MS } from './tokens.js'

export interface ExpiryDeps {
  readonly store: Store
  readonly sessions: Sessions
  readonly clock: SteadyClock
}

const SLACK_MS = 60_000

/** What has expired is of no use to anybody; while the clock may be wrong, nothing is removed for that. */
export async function forgetExpired({ store, clock, sessions }: ExpiryDeps): Promise<void> {
  const now = clock.now()
  await store
    .deleteFrom('login_failure')
    .where('last_at', '<', now - FORGET_MS)
    .execute()
  if (!clock.isSettled()) return
  await shorten(store, sessions, now)
  await store.deleteFrom('token').where('expires_at', '<', now).execute()
  await store
    .deleteFrom('web_session')
    .where((eb) =>
      eb.or([eb('expires_at', '<', now), eb('seen_at', '<', now - sessions.limits.sessionIdleMs)]),
    )
    .execute()
  await store.deleteFrom('login_flow').where('expires_at', '<', now).execute()
}

/** Logins that began while the clock was ahead would last longer than any may. */
async function shorten(store: Store, sessions: Sessions, now: number): Promise<void> {
  const { sessionLengthMs } = sessions.limits
  const latest = { session: now + sessionLengthMs, token: now + LOGIN_TOKEN_MS }
  await store
    .updateTable('web_session')
    .set({ expires_at: latest.session, seen_at: now })
    .where('expires_at', '>', latest.session + SLACK_MS)
    .execute()
  await store
    .updateTable('token')
    .set({ expires_at: latest.token })
    .where('kind', '=', 'login')
    .where('expires_at', '>', latest.token + SLACK_MS)
    .execute()
}
