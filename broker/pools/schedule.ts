import { Cron } from 'croner'
import type { PoolPolicy, Schedule } from '../api/pool-policy.js'

/** A broker that was away does not do in the evening what it missed in the morning. */
const LATE_AT_MOST_MS = 15 * 60_000

/**
 * How many spares the schedule wants now: what its latest entry said, or the policy's own number
 * while none has come yet.
 */
export function scheduledSpares(policy: PoolPolicy, now: number): number {
  const latest = policy.schedule
    .filter((entry) => entry.do === 'spares')
    .map((entry) => ({ entry, at: previousRun(entry, policy.timeZone, now) }))
    .filter((one): one is { entry: Schedule; at: number } => one.at !== null)
    .sort((a, b) => b.at - a.at)[0]
  return latest?.entry.spares ?? policy.spares
}

/** The entries that start or stop desktops and whose time came after `since`, in the order of their times. */
export function dueEntries(policy: PoolPolicy, since: number, now: number): Schedule[] {
  const from = Math.max(since, now - LATE_AT_MOST_MS)
  return policy.schedule
    .filter((entry) => entry.do !== 'spares')
    .map((entry) => ({ entry, at: previousRun(entry, policy.timeZone, now) }))
    .filter((one): one is { entry: Schedule; at: number } => one.at !== null && one.at > from)
    .sort((a, b) => a.at - b.at)
    .map(({ entry }) => entry)
}

function previousRun(entry: Schedule, timeZone: string, now: number): number | null {
  // A run at this very second counts: croner looks before the given time.
  const [run] = new Cron(entry.cron, { paused: true, timezone: timeZone }).previousRuns(
    1,
    new Date(now + 1_000),
  )
  return run && run.getTime() <= now ? run.getTime() : null
}
