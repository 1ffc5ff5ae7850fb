import { type Command, Option } from 'commander'
import { JOB_ENDED, JOB_STATES, Job, JobList } from '../../broker/api/jobs.js'
import { apiPath, apiQuery } from '../broker-client.js'
import { followJobs } from '../follow-job.js'
import type { Invocation } from '../invocation.js'
import { targetLine } from '../job-progress.js'
import { type Column, fieldsOf } from '../output.js'
import { parseInteger } from '../quantities.js'

const COLUMNS: ReadonlyArray<Column<Job>> = [
  ['ID', (it) => it.id],
  ['KIND', (it) => it.kind],
  ['SUBJECT', (it) => it.subject],
  ['STATE', (it) => it.state],
  ['DONE', (it) => `${it.done}/${it.total}`],
  ['BY', (it) => it.createdBy],
  ['CREATED', (it) => it.createdAt],
  ['FINISHED', (it) => it.finishedAt],
  ['MESSAGE', (it) => it.message],
]

export function defineJobCommands(program: Command, invocation: Invocation): void {
  const job = program
    .command('job')
    .summary('long operations')
    .description(
      "Long operations. They survive a restart of the broker; one target's failure leaves " +
        'the others done.\nHorizon: tasks of vCenter. Proxmox VE: tasks (UPID).',
    )
  defineList(job, invocation)
  defineShow(job, invocation)
  defineFollow(job, invocation)
  defineCancel(job, invocation)
}

function defineList(job: Command, invocation: Invocation): void {
  job
    .command('list')
    .summary('list jobs, the newest first')
    .description(
      'Lists jobs. States: queued, running, cancelling, succeeded, partly (some targets failed), failed, cancelled.',
    )
    .addOption(new Option('--state <STATE>', 'only in this state').choices(JOB_STATES))
    .option('--limit <N>', 'how many, 1 to 500 (50)', parseInteger(1, 500))
    .action(async (options: { state?: string; limit?: number }) => {
      const answer = await invocation.client.get(`/jobs${apiQuery({ ...options })}`, JobList)
      invocation.output.list(answer, COLUMNS, answer.jobs)
    })
}

function defineShow(job: Command, invocation: Invocation): void {
  job
    .command('show')
    .argument('<JOB>')
    .summary('show a job and its targets')
    .description('Shows a job with the state, step and message of every target.')
    .action(async (id: string) => {
      const found = await invocation.client.get(apiPath`/jobs/${id}`, Job)
      invocation.output.show(found, () =>
        [
          fieldsOf(
            COLUMNS.map(([title, cell]): Column<Job> => [title.toLowerCase(), cell]),
            found,
          ),
          ...found.targets.map((target) => `  ${targetLine(target)}`),
        ].join('\n'),
      )
    })
}

function defineFollow(job: Command, invocation: Invocation): void {
  job
    .command('follow')
    .argument('<JOB...>')
    .summary('watch jobs until they end')
    .description(
      'Shows the progress until the jobs have ended; the exit code tells how. Ctrl-C stops watching only.',
    )
    .action(async (ids: string[]) => {
      invocation.showEnded(await followJobs(invocation.client, [...new Set(ids)]))
    })
}

function defineCancel(job: Command, invocation: Invocation): void {
  job
    .command('cancel')
    .argument('<JOB>')
    .option('--no-wait', 'do not wait until it has ended')
    .summary('cancel a job')
    .description(
      'Cancels a job: steps at work are undone or finished, nothing half-made stays. Targets that are done stay done.',
    )
    .action(async (id: string, { wait }: { wait: boolean }) => {
      await cancel(invocation, id, wait)
    })
}

async function cancel(invocation: Invocation, id: string, wait: boolean): Promise<void> {
  const asked = await invocation.client.send('POST', apiPath`/jobs/${id}/cancel`, {}, Job)
  const jobs =
    wait && !JOB_ENDED.includes(asked.state) ? await followJobs(invocation.client, [id]) : [asked]
  const asWished = jobs.every((job) => job.state === 'cancelled' || !JOB_ENDED.includes(job.state))
  if (asWished) invocation.showEnded(jobs, 'ok')
  else invocation.showEnded(jobs)
}
