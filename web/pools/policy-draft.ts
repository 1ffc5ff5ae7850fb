import type { PoolPolicy, Schedule } from '../../broker/api/pool-policy.js'
import { durationIso, durationTyped } from '../parts/durations.js'

export const DURATIONS = ['retention', 'disconnectGrace', 'coolDown', 'maxSession'] as const

/** What is being typed: numbers are texts until they are sent, so that an empty field can be said. */
export interface Draft {
  readonly min: string
  readonly max: string
  readonly spares: string
  readonly maxPerUser: string
  readonly retention: string
  readonly disconnectGrace: string
  readonly coolDown: string
  readonly maxSession: string
  readonly onRelease: PoolPolicy['onRelease']
  readonly onExpiry: PoolPolicy['onExpiry']
  readonly onShutdown: PoolPolicy['onShutdown']
  readonly protocols: ReadonlyArray<PoolPolicy['protocols'][number]>
  readonly clipboard: boolean
  readonly fileTransfer: boolean
  readonly usb: boolean
  readonly loginOnAssignment: boolean
  readonly timeZone: string
  readonly schedule: readonly Schedule[]
}

/** Durations stand there as this language writes them. */
export function draftOf(policy: PoolPolicy, language: string): Draft {
  const durations = Object.fromEntries(
    DURATIONS.map((key) => [key, durationTyped(language, policy[key] ?? '')]),
  ) as Pick<Draft, (typeof DURATIONS)[number]>
  return {
    ...policy,
    ...durations,
    min: String(policy.min),
    max: String(policy.max),
    spares: String(policy.spares),
    maxPerUser: String(policy.maxPerUser),
  }
}

/** What the draft changes, as the API takes it. */
export function changed(before: Draft, after: Draft): Partial<PoolPolicy> {
  const keys = (Object.keys(after) as Array<keyof Draft>).filter(
    (key) => JSON.stringify(after[key]) !== JSON.stringify(before[key]),
  )
  return Object.fromEntries(keys.map((key) => [key, toPolicy(key, after)]))
}

function toPolicy(key: keyof Draft, draft: Draft): unknown {
  if (key === 'min' || key === 'max' || key === 'spares' || key === 'maxPerUser')
    return draft[key].trim() === '' ? null : Number(draft[key]) // null is refused by its name
  if (key === 'maxSession' && draft.maxSession.trim() === '') return null
  return key === 'retention' ||
    key === 'disconnectGrace' ||
    key === 'coolDown' ||
    key === 'maxSession'
    ? durationIso(draft[key])
    : draft[key]
}
