import type { Command } from 'commander'
import { RebuildResult } from '../../broker/api/assignments.js'
import type { Invocation } from '../invocation.js'
import { plainLine } from '../plain-text.js'

export function defineRebuildStateCommand(program: Command, invocation: Invocation): void {
  program
    .command('rebuild-state')
    .option('--dry-run', 'only tell what would be made again')
    .summary('make a lost database again from the hypervisors')
    .description(
      "For the day on which the broker's database is lost: add the hypervisors again, then " +
        'run this. Machines, generations, pools, grants on pools and assignments are read from ' +
        'the metadata of the domains. What the database has already stays as it is. People, ' +
        'tokens, thin clients and the audit log are not in the domains.',
    )
    .action(async ({ dryRun }: { dryRun?: boolean }) => {
      const result = await invocation.client.send(
        'POST',
        '/rebuild-state',
        { dryRun: dryRun ?? false },
        RebuildResult,
      )
      const lines = (['machines', 'generations', 'pools', 'assignments'] as const)
        .filter((kind) => result[kind].length > 0)
        .map((kind) => plainLine(`${kind}: ${result[kind].join(', ')}`))
      for (const warning of result.warnings) invocation.say(warning)
      invocation.output.show(result, () =>
        lines.length === 0
          ? 'There is nothing that the database does not have.'
          : [`${dryRun === true ? 'Would be made' : 'Made'} again:`, ...lines].join('\n'),
      )
    })
}
