import type { Command } from 'commander'
import { Type } from '@sinclair/typebox'
import { CheckStarted } from '../../broker/api/checks.js'
import { Hypervisor } from '../../broker/api/hypervisors.js'
import type { Job, JobTarget } from '../../broker/api/jobs.js'
import { apiPath } from '../broker-client.js'
import { followJobs } from '../follow-job.js'
import type { Invocation } from '../invocation.js'
import { type Column, tableOf } from '../output.js'
import { plainLine } from '../plain-text.js'

const COLUMNS: ReadonlyArray<Column<JobTarget>> = [
  ['CHECK', (it) => it.name],
  ['RESULT', (it) => it.finding?.result ?? it.state],
  ['SEEN', (it) => it.finding?.measured ?? null],
  ['FOUND', (it) => (it.finding?.result === 'ok' ? '' : it.message)],
]
const HypervisorList = Type.Object({ hypervisors: Type.Array(Hypervisor) })

export function defineHypervisorCheck(hypervisor: Command, invocation: Invocation): void {
  hypervisor
    .command('check')
    .argument('[HYPERVISOR...]', 'all, when none is named')
    .summary('look whether hosts are in order')
    .description(
      'Looks at a host from its name in the DNS to its displays: connection, host key, ' +
        'login, helper, sshd, permissions, clock, libvirt, virtualisation, networks, ' +
        'directories, certificate, and what lies about there. Nothing is changed. Exit code 1 ' +
        'when a check failed; warnings do not count.',
    )
    .action(async (names: string[]) => {
      const wanted =
        names.length > 0
          ? [...new Set(names)]
          : (await invocation.client.get('/hypervisors', HypervisorList)).hypervisors.map(
              ({ name }) => name,
            )
      const started = await Promise.all(
        wanted.map(
          async (name) =>
            await invocation.client.send(
              'POST',
              apiPath`/hypervisors/${name}/check`,
              {},
              CheckStarted,
            ),
        ),
      )
      showChecks(
        invocation,
        await followJobs(
          invocation.client,
          started.map(({ job }) => job),
        ),
      )
    })
}

function showChecks(invocation: Invocation, jobs: readonly Job[]): void {
  invocation.output.show(jobs.length === 1 ? jobs[0] : { jobs }, () =>
    jobs
      .map((job) =>
        [`${plainLine(job.subject)}:`, tableOf(COLUMNS, job.targets), ...advice(job)].join('\n'),
      )
      .join('\n\n'),
  )
  invocation.end(
    jobs.every(
      (job) => job.state !== 'cancelled' && job.targets.every(({ state }) => state !== 'failed'),
    )
      ? 'ok'
      : 'refused',
  )
}

/** What to do, a line each. */
function advice(job: Job): string[] {
  return job.targets.flatMap(({ name, finding }) =>
    (finding?.says ?? [])
      .filter((one) => one.advice !== '')
      .map((one) => plainLine(`${name}: ${one.advice}`)),
  )
}
