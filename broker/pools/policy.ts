import { Value } from '@sinclair/typebox/value'
import { Cron } from 'croner'
import type { DesktopState } from '../api/pools.js'
import { type Cleaning, PoolPolicy, type PoolPolicyPatch } from '../api/pool-policy.js'
import { durationMs } from '../config.js'

/** The defaults of api/pool-policy.ts. */
export function defaultPolicy(): PoolPolicy {
  return Value.Default(PoolPolicy, {}) as PoolPolicy
}

export function changedPolicy(policy: PoolPolicy, patch: PoolPolicyPatch): PoolPolicy {
  return { ...policy, ...patch }
}

/** With another size the minimum follows, and the maximum does not fall below it. */
export function resizedPolicy(policy: PoolPolicy, size: number | undefined): PoolPolicy {
  return size === undefined
    ? policy
    : { ...policy, min: size, max: policy.max === 0 ? 0 : Math.max(size, policy.max) }
}

/** What the schema cannot see; each fault names its field. */
export function faultsOfPolicy(policy: PoolPolicy): Array<{ field: string; fault: string }> {
  const faults: Array<{ field: string; fault: string }> = []
  if (policy.max > 0 && policy.max < policy.min)
    faults.push({ field: 'max', fault: `is ${policy.max}, less than min (${policy.min})` })
  if (!isTimeZone(policy.timeZone))
    faults.push({
      field: 'timeZone',
      fault: `"${policy.timeZone}" is no time zone such as Europe/Vilnius`,
    })
  policy.schedule.forEach((entry, index) => {
    const fault = faultOfCron(entry.cron)
    if (fault !== null)
      faults.push({ field: `schedule.${index}.cron`, fault: `"${entry.cron}": ${fault}` })
    if (entry.do === 'spares' && entry.spares === undefined)
      faults.push({ field: `schedule.${index}.spares`, fault: 'is missing: say how many' })
  })
  if (isInstant(policy.retention) && Number.isNaN(Date.parse(policy.retention)))
    faults.push({ field: 'retention', fault: `${policy.retention} is no instant of the calendar` })
  return faults
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  } // a RangeError is the answer
}

function faultOfCron(cron: string): string | null {
  try {
    return new Cron(cron, { paused: true }).nextRun() === null ? 'it never comes' : null
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).replace(/^CronPattern: /, '')
  }
}

function isInstant(retention: string): boolean {
  return /^\d/.test(retention)
}

/** ISO 8601 in milliseconds, whatever the case of its letters. */
export function milliseconds(duration: string): number {
  return durationMs(duration.toUpperCase())
}

/** When a desktop that nobody has used since `idleSince` is no longer its holder's. */
export function retentionEnd(retention: string, idleSince: number): number {
  return isInstant(retention)
    ? Math.max(Date.parse(retention), idleSince)
    : idleSince + milliseconds(retention)
}

/**
 * Nobody loses their desktop sooner than this after the policy was changed, or than the whole new
 * retention where that is shorter: there is time for the warning.
 */
const LEAST_AFTER_CHANGE_MS = 15 * 60_000

/**
 * Since when a desktop counts as unused once its pool's retention is `retention`: later than before
 * where it would be taken at once. Pure.
 */
export function idleSinceAfterChange(retention: string, idleSince: number, now: number): number {
  const leastEnd = Math.min(
    now + LEAST_AFTER_CHANGE_MS,
    isInstant(retention) ? Infinity : retentionEnd(retention, now),
  )
  if (retentionEnd(retention, idleSince) >= leastEnd) return idleSince
  return isInstant(retention) ? leastEnd : leastEnd - milliseconds(retention)
}

/** The numbers of the members that are missing: the smallest that are free. `taken`: numbers in use. */
export function missingNumbers(size: number, taken: readonly number[]): number[] {
  const numbers: number[] = []
  for (let number = 1; numbers.length + taken.length < size; number += 1)
    if (!taken.includes(number)) numbers.push(number)
  return numbers
}

export interface Place {
  readonly hypervisor: string
  readonly freeMib: number
  readonly members: number
}

/** What is free wobbles, and was looked at a while ago: hosts that lack no more than this part are alike. */
const ALIKE = 0.1

/**
 * Spreads `count` machines of `memoryMib` over the places: each goes where most memory would be
 * left, or, of places that are alike in that, where fewest members are; then by name.
 */
export function placeMembers(count: number, memoryMib: number, places: readonly Place[]): string[] {
  const left = places.map((place) => ({ ...place }))
  return Array.from({ length: count }, () => {
    const mostFree = Math.max(...left.map(({ freeMib }) => freeMib))
    const [best] = left
      .filter(({ freeMib }) => mostFree - freeMib <= Math.max(mostFree, 0) * ALIKE)
      .sort(
        (a, b) =>
          a.members - b.members ||
          b.freeMib - a.freeMib ||
          a.hypervisor.localeCompare(b.hypervisor, 'en'),
      )
    if (!best) return ''
    best.freeMib -= memoryMib
    best.members += 1
    return best.hypervisor
  })
}

export interface SizeFacts {
  readonly size: number
  readonly min: number
  readonly max: number
  /** Free members that are not needed as spares, and people who wait. */
  readonly idle: number
  readonly waiting: number
  readonly neededAt: number
  readonly coolDownMs: number
}

/**
 * The size that the pool should have now: it grows at once for those who wait, and shrinks to the
 * minimum when what is above it was not needed for the cool-down.
 */
export function wantedSize(facts: SizeFacts, now: number): number {
  const { size, min, max, idle, waiting, neededAt, coolDownMs } = facts
  if (size < min) return min
  if (waiting > 0 && max > size) return Math.min(max, size + Math.max(0, waiting - idle))
  if (max > 0 && size > min && idle > 0 && waiting === 0 && now - neededAt >= coolDownMs)
    return Math.max(min, size - idle)
  return size
}

export interface MemberFacts {
  readonly machine: string
  readonly state: DesktopState
  readonly running: boolean
  readonly built: boolean
  readonly maintenance: boolean
  readonly number: number
}

/**
 * Whom a pool that is too large lets go: those it built, first the failed, then the free that are
 * off, then the free that run; the highest numbers first.
 */
export function membersToRemove(members: readonly MemberFacts[], count: number): string[] {
  const rank = (member: MemberFacts): number =>
    member.state === 'failed' ? 0 : member.running ? 2 : 1
  return members
    .filter((member) => member.built && (member.state === 'free' || member.state === 'failed'))
    .sort((a, b) => rank(a) - rank(b) || b.number - a.number)
    .slice(0, Math.max(0, count))
    .map((member) => member.machine)
}

/** Free members to start, and spares beyond what is wanted to stop. */
export function spareSteps(
  members: readonly MemberFacts[],
  spares: number,
  starting: number,
): { start: string[]; stop: string[] } {
  const free = members
    .filter((member) => member.state === 'free' && !member.maintenance)
    .sort((a, b) => a.number - b.number)
  const running = free.filter((member) => member.running)
  const missing = spares - running.length - starting
  return {
    start:
      missing > 0
        ? free
            .filter((member) => !member.running)
            .slice(0, missing)
            .map((member) => member.machine)
        : [],
    stop: missing < 0 ? running.slice(spares).map((member) => member.machine) : [],
  }
}

/** The strictest of the policies of all pools a machine is in. */
export function strictest(policies: readonly PoolPolicy[]): {
  clipboard: boolean
  fileTransfer: boolean
  usb: boolean
} {
  return {
    clipboard: policies.every((one) => one.clipboard),
    fileTransfer: policies.every((one) => one.fileTransfer),
    usb: policies.every((one) => one.usb),
  }
}

/**
 * What must be done before the next person gets a desktop that was left by `how`; keep: it is
 * stopped only when somebody else wants it.
 */
export function uncleanAfter(how: Cleaning): 'stop' | 'rebuild' {
  return how === 'rebuild' ? 'rebuild' : 'stop'
}
