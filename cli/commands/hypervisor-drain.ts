import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import { type DrainMachine, DrainState } from '../../broker/api/drains.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { type Column, tableOf } from '../output.js'
import { plainLine } from '../plain-text.js'
import { confirm } from '../prompts.js'

interface DrainOptions {
  readonly reason?: string
  readonly message?: string
  readonly deadline?: string
  readonly show?: boolean
  readonly wait?: boolean
  readonly yes?: boolean
}

const COLUMNS: ReadonlyArray<Column<DrainMachine>> = [
  ['MACHINE', (it) => it.machine],
  ['POOL', (it) => it.pool],
  ['POWER', (it) => it.power],
  [
    'HOLDER',
    (it) => (it.holder === null ? null : `${it.holder}${it.connected ? ' (connected)' : ''}`),
  ],
  ['UNTIL', (it) => it.until],
  ['WHAT HAPPENS', (it) => it.sentence],
]
const LOOK_AGAIN_MS = 2_000

export function defineHypervisorDrain(hypervisor: Command, invocation: Invocation): void {
  hypervisor
    .command('drain')
    .argument('<HYPERVISOR>')
    .summary('empty a host, so that it may be switched off')
    .description(
      'Maintenance, and what is free goes away: members of pools are rebuilt elsewhere, ' +
        'spares are shut down, desktops that people have stay until they leave. Undo: berth ' +
        'maintenance off hypervisor:NAME.\nHorizon, vSphere: enter maintenance mode. Proxmox ' +
        'VE: node maintenance.',
    )
    .option('--reason <TEXT>', 'shown to administrators and on waiting thin clients')
    .option('--message <TEXT>', 'said on the screens of those who are still there')
    .option(
      '--deadline <DURATION>',
      'after this time, such as PT2H, those who are still there are taken, having been ' +
        'warned a quarter of an hour before',
    )
    .option('--show', 'only show how far it is, or what would happen')
    .option('--wait', 'wait until it is empty')
    .option('--yes', 'do not ask')
    .action(async (name: string, options: DrainOptions) => {
      await drain(invocation, name, options)
    })
}

async function drain(invocation: Invocation, name: string, options: DrainOptions): Promise<void> {
  const look = async (): Promise<DrainState> =>
    await invocation.client.get(apiPath`/hypervisors/${name}/drain`, DrainState)
  const plan = await look()
  if (options.show === true) return showDrain(invocation, name, plan)
  if (options.yes !== true) {
    for (const line of tableOf(COLUMNS, affected(plan)).split('\n')) invocation.say(line)
    if (plan.others.length > 0)
      invocation.say(`Not Berth's, and left as they are: ${plan.others.join(', ')}.`)
    if (!(await confirm(`Empty ${name}?`, 'give --yes')))
      throw new CliError('refused', 'Not confirmed; nothing was done.')
  }
  const { reason, message, deadline } = options
  let state = await invocation.client.send(
    'POST',
    apiPath`/hypervisors/${name}/drain`,
    { reason, message, deadline },
    DrainState,
  )
  for (
    let said = '';
    options.wait === true && state.drain !== null && state.drain.emptyAt === null;
    state = await look()
  ) {
    if (state.sentence !== said) invocation.say(`${name}: ${state.sentence}`)
    said = state.sentence
    await delay(LOOK_AGAIN_MS)
  }
  showDrain(invocation, name, state)
  if (options.wait === true && state.drain === null)
    throw new CliError(
      'refused',
      `Somebody ended the maintenance of ${name}: it is not emptied any more.`,
    )
}

/** Those with which something happens. */
function affected({ machines }: DrainState): DrainMachine[] {
  return machines.filter(({ step }) => step !== 'rest')
}

function showDrain(invocation: Invocation, name: string, state: DrainState): void {
  const rows = affected(state)
  invocation.output.show(state, () =>
    [
      plainLine(`${name}: ${state.sentence}`),
      ...(rows.length === 0 ? [] : [tableOf(COLUMNS, rows)]),
      ...(state.others.length === 0 ? [] : [plainLine(`Not Berth's: ${state.others.join(', ')}`)]),
    ].join('\n'),
  )
}
