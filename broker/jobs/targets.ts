import type { Finding } from '../api/checks.js'
import type { Queries } from '../store/open.js'
import type { JobRow, Tables } from '../store/tables.js'

/** As it is read; what has a default is there. */
export type JobTargetRow = Omit<Tables['job_target'], 'step' | 'message'> & {
  readonly step: string
  readonly message: string
}

/** What the targets of a check came to, by their names. */
export type Findings = ReadonlyMap<string, { readonly finding: Finding }>

/** One job may have thousands of targets: so many are read in one go, or those of one job. */
const TARGETS_AT_ONCE = 2_000

/** Cuts a list of jobs, in its order, so that no group has too many targets for one question. */
export async function inGroups(queries: Queries, jobs: readonly JobRow[]): Promise<JobRow[][]> {
  if (jobs.length < 2) return jobs.length === 0 ? [] : [[...jobs]]
  const counted = await queries
    .selectFrom('job_target')
    .select((eb) => ['job_id', eb.fn.countAll<number>().as('count')])
    .where('job_id', 'in', idsOf(jobs))
    .groupBy('job_id')
    .execute()
  const counts = new Map(counted.map((row) => [row.job_id, Number(row.count)]))
  const groups: JobRow[][] = []
  let left = 0
  for (const job of jobs) {
    const count = counts.get(job.id) ?? 0
    const group = groups.at(-1)
    if (group && count <= left) group.push(job)
    else {
      groups.push([job])
      left = TARGETS_AT_ONCE
    }
    left -= count
  }
  return groups
}

/** The targets of these jobs in their order, by the job's id. */
export async function targetsOf(
  queries: Queries,
  jobs: readonly JobRow[],
): Promise<ReadonlyMap<string, JobTargetRow[]>> {
  const rows = await queries
    .selectFrom('job_target')
    .selectAll()
    .where('job_id', 'in', idsOf(jobs))
    .orderBy('job_id')
    .orderBy('position')
    .execute()
  const targets = new Map<string, JobTargetRow[]>()
  for (const row of rows) {
    const own = targets.get(row.job_id)
    if (own) own.push(row)
    else targets.set(row.job_id, [row])
  }
  return targets
}

/** By the job's id. What the targets of a check came to stands in the journal, as the result of their one step. */
export async function findingsOf(
  queries: Queries,
  jobs: readonly JobRow[],
): Promise<ReadonlyMap<string, Findings>> {
  const checks = jobs.filter(({ kind }) => kind === 'check')
  if (checks.length === 0) return new Map()
  const rows = await queries
    .selectFrom('job_step')
    .select(['job_id', 'target', 'result'])
    .where('job_id', 'in', idsOf(checks))
    .where('step', '=', 'look')
    .execute()
  const findings = new Map<string, Map<string, { finding: Finding }>>()
  for (const { job_id: id, target, result } of rows) {
    const own = findings.get(id) ?? new Map<string, { finding: Finding }>()
    findings.set(id, own.set(target, { finding: JSON.parse(result) as Finding }))
  }
  return findings
}

function idsOf(jobs: readonly JobRow[]): string[] {
  return jobs.map(({ id }) => id)
}
