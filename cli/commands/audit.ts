import type { Command } from 'commander'
import { type AuditEvent, AuditEventList, AuditVerified } from '../../broker/api/users.js'
import { apiQuery } from '../broker-client.js'
import type { Invocation } from '../invocation.js'
import type { Column } from '../output.js'
import { parseInteger } from '../quantities.js'

interface Filter {
  readonly actor?: string
  readonly object?: string
  readonly action?: string
  readonly since?: string
  readonly until?: string
}

const EVENTS: ReadonlyArray<Column<AuditEvent>> = [
  ['ID', (it) => it.id],
  ['AT', (it) => it.at],
  ['ACTOR', (it) => it.actor],
  ['ADDRESS', (it) => it.address],
  ['ACTION', (it) => it.action],
  ['OBJECT', (it) => it.object],
  ['RESULT', (it) => it.result],
]
const AGAIN_MS = 1_000
const MOST = 1_000

export function defineAuditCommands(program: Command, invocation: Invocation): void {
  const audit = program
    .command('audit')
    .summary('who did what')
    .description(
      'The audit log: nothing in it is ever changed, and each event has a hash over itself ' +
        'and the one before. The broker also logs the last hash ("audit head"), so that a cut ' +
        'end shows.\nHorizon: events database. Proxmox VE: cluster log and task history.',
    )
  defineTail(audit, invocation)
  defineExport(audit, invocation)
  defineVerify(audit, invocation)
}

function defineTail(audit: Command, invocation: Invocation): void {
  filters(
    audit
      .command('tail')
      .summary('the newest events')
      .description('Lists the newest events; -o json has their details.'),
  )
    .option('--limit <N>', 'how many, 1 to 1000 (100)', parseInteger(1, MOST))
    .option('--before <ID>', 'only older than this event', parseInteger(1, Number.MAX_SAFE_INTEGER))
    .option('--follow', 'go on with each new event as a line of JSON, until interrupted')
    .action(
      async ({ follow, ...query }: Filter & { limit?: number; before?: number; follow?: true }) => {
        const answer = await invocation.client.get(
          `/events${apiQuery({ ...query })}`,
          AuditEventList,
        )
        if (follow !== true) return invocation.output.list(answer, EVENTS, answer.events)
        await goOn(invocation, query, answer.events)
      },
    )
}

function defineExport(audit: Command, invocation: Invocation): void {
  filters(
    audit
      .command('export')
      .summary('all events as JSON lines')
      .description(
        'Writes events as JSON lines, the oldest first, with their hashes: SHA-256 over the ' +
          'hash before, a line break, and [id, milliseconds, actor, address, action, object, ' +
          'result, detail as a text] as JSON.',
      ),
  ).action(async (query: Filter) => {
    for await (const part of invocation.client.stream(
      `/api/v1/events/export${apiQuery({ ...query })}`,
    ))
      process.stdout.write(part)
  })
}

function defineVerify(audit: Command, invocation: Invocation): void {
  audit
    .command('verify')
    .summary('check the chain of hashes')
    .description(
      'Computes all hashes again. Exit code 1 when an event was changed, put in or taken ' +
        'out; with --head also when the end was cut off.',
    )
    .option(
      '--head <HASH>',
      'a hash from the broker\'s log ("audit head") or from an export, which must still be there',
    )
    .action(async ({ head }: { head?: string }) => {
      const answer = await invocation.client.send('POST', '/events/verify', { head }, AuditVerified)
      invocation.output.show(answer, () =>
        answer.good
          ? `${answer.events} events are as they were written. Head: ${answer.head?.hash ?? 'none'}`
          : (answer.fault?.message ?? 'The log is not as it was written.'),
      )
      if (!answer.good) invocation.end('refused')
    })
}

function filters(command: Command): Command {
  return command
    .option('--actor <NAME>', 'who; PART* is a beginning')
    .option('--object <OBJECT>', 'what, such as machine:pc-01 or pool:*')
    .option('--action <ACTION>', 'such as login or account.*')
    .option('--since <TIME>', 'a day (2026-11-21) or an instant (RFC 3339)')
    .option('--until <TIME>', 'before this day or instant')
}

async function goOn(
  invocation: Invocation,
  query: Filter,
  events: readonly AuditEvent[],
): Promise<void> {
  const tell = (fresh: readonly AuditEvent[]): void => {
    for (const event of fresh) invocation.output.line(JSON.stringify(event))
  }
  tell(events.toReversed())
  let last = events[0]?.id ?? 0
  for (;;) {
    await new Promise((resolve) => {
      setTimeout(resolve, AGAIN_MS)
    })
    const { actor, object, action } = query
    const fresh = (
      await invocation.client.get(
        `/events${apiQuery({ actor, object, action, limit: MOST })}`,
        AuditEventList,
      )
    ).events
      .filter((event) => event.id > last)
      .reverse()
    tell(fresh)
    last = fresh.at(-1)?.id ?? last
  }
}
