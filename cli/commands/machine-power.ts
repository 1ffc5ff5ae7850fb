import type { Command } from 'commander'
import { JobRef } from '../../broker/api/images.js'
import type { Job } from '../../broker/api/jobs.js'
import { POWER_ACTIONS, type PowerAction } from '../../broker/api/machines.js'
import { apiPath, apiQuery } from '../broker-client.js'
import { CliError, RefusalError } from '../cli-error.js'
import { reportError } from '../report-error.js'
import { exitOfJobs, followJobs, inParallel } from '../follow-job.js'
import type { Invocation } from '../invocation.js'
import { plainLine } from '../plain-text.js'
import { confirm } from '../prompts.js'
import { parseDurationMs } from '../quantities.js'

/** Questions to the broker at one time when many machines are named. */
const AT_ONCE = 4

const WORDS: Readonly<Record<PowerAction, readonly [summary: string, description: string]>> = {
  start: [
    'start machines',
    'Starts machines; each hypervisor starts only so many at a time. Proxmox VE: qm start.',
  ],
  shutdown: [
    'ask guests to shut down',
    'Asks the guest (ACPI) and pulls the plug when it has not obeyed after the timeout. ' +
      'Proxmox VE: qm shutdown --forceStop.',
  ],
  reboot: [
    'ask guests to reboot',
    'Asks the guest (ACPI) to reboot. Proxmox VE: qm reboot. Horizon: restart desktop.',
  ],
  reset: [
    'press the reset button',
    'Resets at once, as the button does. Proxmox VE: qm reset. Horizon: reset virtual machine.',
  ],
  poweroff: [
    'pull the plug',
    'Cuts the power at once; what the guest had not written is lost. Proxmox VE: qm stop.',
  ],
}

interface PowerOptions {
  readonly children?: boolean
  readonly timeout?: number
  readonly wait: boolean
}

export function defineMachinePower(machine: Command, invocation: Invocation): void {
  for (const action of POWER_ACTIONS) {
    const [summary, description] = WORDS[action]
    const command = machine
      .command(action)
      .argument('<MACHINE...>')
      .summary(summary)
      .description(description)
      .option('--children', 'all machines made from these, instead of the machines themselves')
      .option('--no-wait', 'print the job ids and do not follow them')
    if (action === 'shutdown')
      command.option(
        '--timeout <DURATION>',
        'how long the guest may take (ISO 8601; PT2M)',
        parseDurationMs,
      )
    command.action(
      async (names: string[], { children, timeout: timeoutMs, wait }: PowerOptions) => {
        await forEach(
          invocation,
          names,
          wait,
          async (name) =>
            await invocation.client.send(
              'POST',
              apiPath`/machines/${name}/power`,
              { action, children, timeoutMs },
              JobRef,
            ),
        )
      },
    )
  }
}

export function defineMachineDelete(machine: Command, invocation: Invocation): void {
  machine
    .command('delete')
    .argument('<MACHINE...>')
    .summary('delete machines and their disks')
    .description(
      'Deletes machines with their disks. If others are made from one, they are named and it ' +
        'is refused, unless forced: then they are deleted too. Proxmox VE: qm destroy.',
    )
    .option('--force', 'delete what depends on them too')
    .option('--yes', 'do not ask')
    .option('--no-wait', 'print the job ids and do not follow them')
    .action(
      async (
        names: string[],
        { force, yes, wait }: { force?: boolean; yes?: boolean; wait: boolean },
      ) => {
        const question =
          `Delete ${names.join(', ')} with ` +
          `disks${force === true ? ', and everything made from them' : ''}?`
        if (yes !== true && !(await confirm(plainLine(question), 'give --yes')))
          throw new CliError('refused', 'Not confirmed; nothing was done.')
        await forEach(
          invocation,
          names,
          wait,
          async (name) =>
            await invocation.client.send(
              'DELETE',
              apiPath`/machines/${name}` + apiQuery({ force }),
              undefined,
              JobRef,
            ),
        )
      },
    )
}

/**
 * Asks for a job per machine. A refusal for one is told and leaves the others; then exit code 5, or
 * that of the refusal if all were refused.
 */
async function forEach(
  invocation: Invocation,
  names: readonly string[],
  wait: boolean,
  ask: (name: string) => Promise<JobRef>,
): Promise<void> {
  const refusals: RefusalError[] = []
  const answers = await inParallel(names, AT_ONCE, async (name) => {
    try {
      return await ask(name)
    } catch (error) {
      if (!(error instanceof RefusalError) || names.length === 1) throw error
      reportError(error)
      refusals.push(error)
      return null
    }
  })
  const refs = answers.filter((answer): answer is JobRef => answer !== null)
  const [refusal] = refusals
  if (refs.length === 0) {
    if (refusal !== undefined) invocation.end(refusal.exit)
    return
  }
  if (wait)
    showFollowed(
      invocation,
      await followJobs(
        invocation.client,
        refs.map((ref) => ref.job),
      ),
      refusals.length,
    )
  else {
    invocation.output.show(refs.length === 1 ? refs[0] : refs, () =>
      refs.map((ref) => plainLine(ref.job)).join('\n'),
    )
    if (refusals.length > 0) invocation.end('partly')
  }
}

function showFollowed(invocation: Invocation, jobs: readonly Job[], refusals: number): void {
  const exit = exitOfJobs(jobs)
  invocation.showEnded(jobs, exit === 'ok' && refusals > 0 ? 'partly' : exit)
}
