import type { DrainStep } from '../api/drains.js'
import type { MachineType, PowerState } from '../api/machines.js'
import type { DesktopState } from '../api/pools.js'

/** What is known of a machine on a hypervisor that is being emptied, or is to be. */
export interface MachineFacts {
  readonly name: string
  readonly type: MachineType
  readonly power: PowerState
  /** The job that works on it. */
  readonly job: string | null
  /** Why it counts as in use, as the assignments say it; null: it is free. */
  readonly inUse: string | null
  readonly holder: string | null
  /** Why it is not known who uses it, or null. */
  readonly unknown: string | null
  /** It is its holder's for good, or by name: nobody else gets it when they leave. */
  readonly kept: boolean
  /** As a member of a pool. */
  readonly desktop: DesktopState | null
  /**
   * yes: its pool built it, and may build it elsewhere; no-place: nowhere else; last-holder: what
   * is on it is kept for who had it last; null: no pool built it.
   */
  readonly movable: 'yes' | 'no-place' | 'last-holder' | null
}

const RUNS: readonly PowerState[] = ['running', 'paused', 'shutting-down']
const BEING_MADE: readonly DesktopState[] = ['building', 'cleaning', 'deleting']

/**
 * The next step with a machine of a host that is being emptied; pure. `over`: the deadline has passed,
 * and its holder was warned.
 */
export function drainStep(facts: MachineFacts, over: boolean): DrainStep {
  const runs = RUNS.includes(facts.power)
  if (facts.power === 'unknown' || facts.unknown !== null) return 'unknown'
  if (facts.job !== null) return 'job'
  if (facts.inUse !== null) return stepOfUsed(facts.kept, runs, over)
  if (facts.desktop !== null && BEING_MADE.includes(facts.desktop)) return 'job'
  if (facts.movable === 'yes') return 'move'
  if (!runs) return 'rest'
  return facts.type === 'vdi' || facts.desktop !== null ? 'stop' : 'by-hand'
}

function stepOfUsed(kept: boolean, runs: boolean, over: boolean): DrainStep {
  if (kept && !runs) return 'rest'
  if (!over) return 'holder'
  return kept ? 'stop' : 'take'
}

/** Whether the host cannot be switched off because of this machine. */
export function isLeft(step: DrainStep): boolean {
  return step !== 'rest'
}

/** What becomes of the machine, for the reader. */
export function drainSentence(facts: MachineFacts, step: DrainStep): string {
  const { holder, job, type, movable } = facts
  const who = holder ?? 'Somebody'
  const texts: Record<DrainStep, string> = {
    rest: restSentence(facts),
    unknown:
      facts.power === 'unknown' || facts.unknown === null
        ? 'Its hypervisor does not answer: it goes on when it is back.'
        : `It stays until it is known who is connected: ${facts.unknown.replace(/\.$/, '')}.`,
    move: 'Its pool deletes it here and rebuilds it elsewhere.',
    stop:
      holder === null
        ? 'It is free, and is shut down.'
        : `${who} was warned; it is shut down, and stays theirs.`,
    take: `${who} was warned; it is taken from them.`,
    holder: `${who} has it: it stays until they leave.`,
    job: job === null ? 'It is being made ready.' : `Job ${job} works on it.`,
    'by-hand': `It is a ${type} machine and runs: shut it down yourself, or let it run elsewhere.`,
  }
  return step === 'stop' && movable === 'no-place'
    ? 'It is free, and is shut down; its pool may live nowhere else.'
    : texts[step]
}

function restSentence({ kept, holder, movable, type }: MachineFacts): string {
  if (kept && holder !== null)
    return `It is off, and stays ${holder}'s: it is not to be had until its hypervisor is back.`
  if (movable === 'no-place') return 'It is off; its pool may live nowhere else.'
  if (movable === 'last-holder') return 'It is off; what is on it is kept for who had it last.'
  return type === 'initial' || type === 'source'
    ? 'It is off. While its hypervisor is away, no new image is made of it.'
    : 'It is off, and stays.'
}

const WARN_BEFORE_MS = 15 * 60_000
const LEAST_WARNING_MS = 60_000

/**
 * What the clock demands of a drain with a deadline; pure. Nobody loses anything sooner than a
 * minute after they were first told.
 */
export function deadlineStep(
  {
    deadline,
    warned_at: warnedAt,
  }: { readonly deadline: number | null; readonly warned_at: number | null },
  now: number,
): 'nothing' | 'warn' | 'over' {
  if (deadline === null || now < deadline - WARN_BEFORE_MS) return 'nothing'
  if (warnedAt === null) return 'warn'
  return now >= Math.max(deadline, warnedAt + LEAST_WARNING_MS) ? 'over' : 'nothing'
}

/** How far it is, in one sentence. `others`: domains that run and are not Berth's. */
export function progressSentence({
  left,
  total,
  others,
  emptyAt,
  draining,
}: {
  left: number
  total: number
  others: number
  emptyAt: number | null
  draining: boolean
}): string {
  if (!draining)
    return left === 0
      ? 'Nothing runs on it.'
      : `${left} ${left === 1 ? 'machine' : 'machines'} would have to leave it.`
  if (emptyAt !== null && left === 0) return 'It is empty: it may be switched off.'
  const own = left - others
  const foreign = `${others} ${others === 1 ? 'domain that is' : 'domains that are'} not Berth's`
  if (own > 0) return `${own} of ${total} left${others > 0 ? `, and ${foreign}` : ''}.`
  if (others > 0) return `${foreign} left.`
  return 'Nothing is left; whether that is so is being checked.'
}
