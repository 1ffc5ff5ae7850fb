import type { Command } from 'commander'
import { ApplyResult, ExportResult } from '../../broker/api/pools.js'
import { RefusalError } from '../cli-error.js'
import { exitOfJobs, followJobs } from '../follow-job.js'
import type { Invocation } from '../invocation.js'
import { plainLine } from '../plain-text.js'
import { readTextFile } from '../prompts.js'
import { reportError } from '../report-error.js'

const FILE = 'YAML documents; - is standard input'

export function defineApplyCommands(program: Command, invocation: Invocation): void {
  defineApply(program, invocation)
  defineDiff(program, invocation)
  defineExport(program, invocation)
}

function defineApply(program: Command, invocation: Invocation): void {
  program
    .command('apply')
    .requiredOption('-f, --file <FILE>', FILE)
    .option('--no-wait', 'do not follow the jobs')
    .summary('make pools what a file says')
    .description(
      'Creates and changes the pools that a file describes; what it does not name stays. ' +
        'Pools of VM-Operator (VmPool, and VirtualMachine with spec.pools) are taken as they ' +
        'are. Faults are printed as FILE:LINE, all at once, and then nothing is done. kubectl: ' +
        'apply.',
    )
    .action(async ({ file, wait }: { file: string; wait: boolean }) => {
      const result = await ask(invocation, file, false)
      if (result === null) return
      show(invocation, result, ['created', 'changed'])
      if (wait && result.jobs.length > 0)
        invocation.end(exitOfJobs(await followJobs(invocation.client, result.jobs)))
    })
}

function defineDiff(program: Command, invocation: Invocation): void {
  program
    .command('diff')
    .requiredOption('-f, --file <FILE>', FILE)
    .summary('what "apply" would change')
    .description(
      'Shows what "berth apply" would change, and changes nothing. Exit code 0: nothing ' +
        'would change; 1: something would. kubectl: diff.',
    )
    .action(async ({ file }: { file: string }) => {
      const result = await ask(invocation, file, true)
      if (result === null) return
      show(invocation, result, ['create', 'change'])
      if (result.changes.some((change) => change.action !== 'none')) invocation.end('refused')
    })
}

function defineExport(program: Command, invocation: Invocation): void {
  program
    .command('export')
    .summary('all pools as a file for "apply"')
    .description(
      'Prints every pool as a YAML document that "berth apply" takes again: policy, size, ' +
        'permissions, members added by hand.',
    )
    .action(async () => {
      const answer = await invocation.client.get('/export', ExportResult)
      if (invocation.output.format === 'table') invocation.output.raw(answer.yaml)
      else invocation.output.show(answer, () => '')
    })
}

/** null when the file is refused: its faults have been shown. */
async function ask(
  invocation: Invocation,
  file: string,
  dryRun: boolean,
): Promise<ApplyResult | null> {
  try {
    const result = await invocation.client.send(
      'POST',
      '/apply',
      { yaml: readTextFile(file, 'documents'), dryRun },
      ApplyResult,
    )
    for (const warning of result.warnings) invocation.say(`${file}: ${warning}`)
    return result
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error
    reportError(error, file)
    invocation.end(error.exit)
    return null
  }
}

function show(
  invocation: Invocation,
  result: ApplyResult,
  [created, changed]: readonly [string, string],
): void {
  const words = { create: created, change: changed, none: 'unchanged' }
  invocation.output.show(result, () =>
    result.changes.length === 0
      ? 'The file describes nothing.'
      : result.changes
          .flatMap((change) => [
            plainLine(`${change.object} ${words[change.action]}`),
            ...change.fields.map(({ field, before, after }) =>
              plainLine(`  ${field}: ${valueOf(before)} -> ${valueOf(after)}`),
            ),
          ])
          .join('\n'),
  )
}

function valueOf(value: unknown): string {
  return typeof value === 'string'
    ? value
    : value === null || value === undefined
      ? '-'
      : JSON.stringify(value)
}
