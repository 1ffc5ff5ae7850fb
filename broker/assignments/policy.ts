import type { Desktop, Phase } from '../api/assignments.js'
import type { PowerState } from '../api/machines.js'
import type { PoolPolicy } from '../api/pool-policy.js'
import { DEAD } from '../occupancy/policy.js'
import { milliseconds, retentionEnd } from '../pools/policy.js'
import type { AssignmentRow } from '../store/tables.js'

export type Times = Pick<
  AssignmentRow,
  | 'pool_id'
  | 'holder'
  | 'fixed'
  | 'connected'
  | 'wanted'
  | 'idle_since'
  | 'session_at'
  | 'disconnected_at'
  | 'ticket_at'
  | 'warned_for'
  | 'started_at'
  | 'stop_at'
>

const WARN_BEFORE_MS = 15 * 60_000
/** Nobody loses a desktop sooner than this after the first warning. */
const LEAST_WARNING_MS = 60_000

/**
 * When the desktop is no longer its holder's: the last of all their doings plus the retention; null
 * while they are connected, or for ever.
 */
export function expiresAt(held: Times, policy: PoolPolicy | null): number | null {
  if (policy === null || held.fixed === 1 || held.connected === 1) return null
  const graceEnd =
    held.disconnected_at === null ? 0 : held.disconnected_at + milliseconds(policy.disconnectGrace)
  return Math.max(retentionEnd(policy.retention, held.idle_since), graceEnd)
}

/** When the longest session ends; null without a limit, or when nobody is connected. */
export function sessionEndsAt(held: Times, policy: PoolPolicy | null): number | null {
  if (policy === null || policy.maxSession === null || held.session_at === null || held.fixed === 1)
    return null
  return held.session_at + milliseconds(policy.maxSession)
}

/** A viewer that comes back within the grace goes on with the session it had. */
export function sessionStart(held: Times, policy: PoolPolicy | null, now: number): number {
  const grace = policy === null ? 0 : milliseconds(policy.disconnectGrace)
  const goesOn =
    held.session_at !== null &&
    (held.connected === 1 || (held.disconnected_at !== null && now - held.disconnected_at < grace))
  return goesOn ? (held.session_at ?? now) : now
}

/** What is done with an assignment whose time may be over. `warn`: told now that it is taken at `takenAt`. */
export type Due =
  | { readonly do: 'nothing' }
  | { readonly do: 'warn'; readonly takenAt: number; readonly sentence: string }
  | { readonly do: 'take'; readonly because: 'expired' | 'session' }

/** The reaper's decision; pure. `keep` on expiry takes nothing: the next person who needs a desktop does. */
export function due(held: Times, policy: PoolPolicy, now: number): Due {
  const expires = expiresAt(held, policy)
  const sessionEnds = held.connected === 1 ? sessionEndsAt(held, policy) : null
  if (expires !== null && expires <= now && policy.onExpiry !== 'keep')
    return { do: 'take', because: 'expired' }
  if (sessionEnds === null || now < sessionEnds - WARN_BEFORE_MS) return { do: 'nothing' }
  const takenAt = Math.max(sessionEnds, held.warned_for ?? now + LEAST_WARNING_MS)
  if (held.warned_for === null)
    return {
      do: 'warn',
      takenAt,
      sentence:
        'The longest session of this pool ends ' +
        `at ${new Date(takenAt).toISOString().slice(11, 16)} UTC: save your work, or extend it.`,
    }
  return now >= takenAt ? { do: 'take', because: 'session' } : { do: 'nothing' }
}

/**
 * When those who are still on a host that is being drained lose what they have there; null without a
 * deadline. Never sooner than a minute after they were first told.
 */
export function hostEmptiedAt({
  deadline,
  warned_at: warnedAt,
}: {
  readonly deadline: number | null
  readonly warned_at: number | null
}): number | null {
  return deadline === null
    ? null
    : Math.max(deadline, warnedAt === null ? 0 : warnedAt + LEAST_WARNING_MS)
}

/**
 * What its holder is shown before a desktop is taken; null while that is far. `emptiedAt`: when its
 * host is to be empty.
 */
export function warningOf(
  held: Times,
  policy: PoolPolicy | null,
  now: number,
  emptiedAt: number | null = null,
): Desktop['warning'] {
  if (emptiedAt !== null && emptiedAt - now <= WARN_BEFORE_MS)
    return warning(
      emptiedAt,
      now,
      (when) =>
        `Its hypervisor will be emptied ${when}: save your work and leave; then get another one.`,
    )
  const expires = expiresAt(held, policy)
  const session = held.connected === 1 ? sessionEndsAt(held, policy) : null
  if (held.stop_at !== null)
    return warning(
      held.stop_at,
      now,
      (when) => `It is shut down ${when} by the schedule: save your work, or extend it.`,
    )
  const ends = session === null ? expires : Math.max(session, held.warned_for ?? 0)
  if (ends === null || ends - now > WARN_BEFORE_MS) return null
  return warning(ends, now, (when) =>
    session === null
      ? `It is given back ${when} unless you connect or extend it.`
      : `Your session ends ${when}: save your work, or extend it.`,
  )
}

function warning(
  ends: number,
  now: number,
  sentence: (when: string) => string,
): Desktop['warning'] {
  const minutes = Math.max(0, Math.round((ends - now) / 60_000))
  const when =
    minutes === 0
      ? 'in less than a minute'
      : `in ${minutes} ${minutes === 1 ? 'minute' : 'minutes'}`
  return {
    at: new Date(ends - WARN_BEFORE_MS).toISOString(),
    takenAt: new Date(ends).toISOString(),
    sentence: sentence(when),
  }
}

export function phaseOf(
  held: Times,
  power: PowerState,
  policy: PoolPolicy | null,
  now: number,
): Phase {
  if (held.connected === 1) return 'connected'
  if (
    held.disconnected_at !== null &&
    policy !== null &&
    now - held.disconnected_at < milliseconds(policy.disconnectGrace)
  )
    return 'grace'
  if (held.wanted === 1) return 'preparing'
  if (power === 'running') return held.disconnected_at === null ? 'ready' : 'disconnected'
  return power === 'unknown' ? 'disconnected' : 'off'
}

/** What is seen of a desktop that somebody is to get. */
export interface Seen {
  readonly hostUp: boolean
  readonly hostAwayMs: number
  readonly power: PowerState
  readonly hasDisk: boolean
  readonly busy: boolean
  readonly unclean: 'stop' | 'rebuild' | null
  readonly startsFailed: number
  /** Its host is being emptied: soon, or its deadline is over. */
  readonly hostLeaves: 'no' | 'soon' | 'over'
}

/**
 * rest: tried again after a while; move: another desktop is given instead; `failed`: this one is
 * handed to nobody until it is mended; `orStart`: where there is no other, this one is started.
 */
export type Step =
  | { readonly do: 'wait' | 'rest' | 'clean' | 'start' | 'ready' }
  | {
      readonly do: 'move'
      readonly failed: boolean
      readonly because: string
      readonly orStart?: true
    }

const AWAY_TOO_LONG_MS = 10_000
const STARTS = 2

/**
 * One step towards a desktop that runs and is clean. `begun`: its holder has worked on it since they
 * got it, so it is not changed for another one by itself.
 */
export function nextStep(seen: Seen, begun: boolean): Step {
  if (!seen.hostUp)
    return !begun && seen.hostAwayMs > AWAY_TOO_LONG_MS
      ? { do: 'move', failed: false, because: 'its hypervisor does not answer' }
      : { do: 'wait' }
  if (seen.busy || seen.power === 'unknown') return { do: 'wait' }
  if (seen.power === 'missing')
    return { do: 'move', failed: true, because: 'its hypervisor has no such domain' }
  if (!seen.hasDisk) return { do: 'move', failed: true, because: 'it has no disk' }
  return stepBeforeLeaving(seen, begun) ?? stepOnHost(seen, begun)
}

/** What a host that is being emptied demands; null: nothing yet. */
function stepBeforeLeaving(seen: Seen, begun: boolean): Step | null {
  if (seen.hostLeaves === 'over' && seen.power !== 'running') return { do: 'rest' }
  if (seen.hostLeaves !== 'soon' || begun || !DEAD.includes(seen.power)) return null
  return {
    do: 'move',
    failed: false,
    because: 'its hypervisor is being emptied',
    ...(seen.unclean === null ? { orStart: true as const } : {}),
  }
}

function stepOnHost(seen: Seen, begun: boolean): Step {
  if (seen.unclean !== null) return { do: 'clean' }
  if (seen.power === 'running') return { do: 'ready' }
  if (seen.power === 'shutting-down') return { do: 'wait' } // it is started again when it is off
  if (seen.startsFailed < STARTS) return { do: 'start' }
  return begun ? { do: 'rest' } : { do: 'move', failed: true, because: 'it does not start' }
}
