import type { Job, JobTarget } from '../broker/api/jobs.js'
import { plainLine } from './plain-text.js'
import { showBytes } from './quantities.js'

/** Lines for a log: one per change of a target's state or step, and one per tenth of a long step. Pure. */
export function changesOf(before: Job | undefined, after: Job): string[] {
  const old = new Map(before?.targets.map((target) => [target.name, target]))
  const lines =
    before?.state === after.state
      ? []
      : [
          `job ${after.id} ` +
            `(${after.kind} ${after.subject}): ${after.state}${after.message === '' ? '' : `: ${after.message}`}`,
        ]
  for (const target of after.targets) {
    if (hasMoved(old.get(target.name), target)) lines.push(`job ${after.id}: ${targetLine(target)}`)
  }
  return lines.map(plainLine)
}

function hasMoved(before: JobTarget | undefined, after: JobTarget): boolean {
  if (before === undefined) return after.state !== 'pending'
  return (
    before.state !== after.state || before.step !== after.step || tenthOf(before) !== tenthOf(after)
  )
}

function tenthOf(target: JobTarget): number {
  return target.total > 0 ? Math.floor((target.done * 10) / target.total) : 0
}

/** `pc-01: running: convert: 40 % (1.2 GiB of 3.0 GiB)`. */
export function targetLine(target: JobTarget): string {
  const counted =
    target.state === 'running' && target.total > 0
      ? `${Math.floor((target.done * 100) / target.total)} % (${showBytes(target.done)} of ${showBytes(target.total)})`
      : ''
  return plainLine(
    [target.name, target.state, target.step, counted, target.message]
      .filter((part) => part !== '')
      .join(': '),
  )
}

/** One sentence on how a job has ended, such as `job 7 (populate win11): partly: 19 of 20 done, 1 failed.` */
export function endLine(job: Job): string {
  const count = (state: JobTarget['state']): number =>
    job.targets.filter((target) => target.state === state).length
  const parts = (['failed', 'skipped', 'cancelled'] as const)
    .filter((state) => count(state) > 0)
    .map((state) => `${count(state)} ${state}`)
  const counts =
    job.targets.length === 0
      ? ''
      : `: ${[`${count('done')} of ${job.targets.length} done`, ...parts].join(', ')}`
  const message = job.message === '' ? '' : ` (${job.message})`
  return plainLine(`job ${job.id} (${job.kind} ${job.subject}): ${job.state}${counts}${message}`)
}

/** The targets worth a line after the end: everything that is not simply done. */
export function troubles(job: Job): string[] {
  return job.targets
    .filter((target) => target.state !== 'done' || target.message !== '')
    .map((target) => `  ${targetLine(target)}`)
}
