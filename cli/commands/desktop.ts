import type { Command } from 'commander'
import { AssignAnswer, ClaimAnswer, Desktop, DesktopList } from '../../broker/api/assignments.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import type { Column } from '../output.js'
import { plainLine } from '../plain-text.js'
import { confirm } from '../prompts.js'

/** How long one question may wait at the broker; asked again until the desktop is ready. */
const ASK_MS = 20_000
/** A guest that needs longer is shown as it is. */
const LONGEST_START_MS = 300_000

const COLUMNS: ReadonlyArray<Column<Desktop>> = [
  ['MACHINE', (it) => it.machine],
  ['POOL', (it) => it.pool],
  ['HOLDER', (it) => it.holder],
  ['STATE', (it) => it.phase],
  ['POWER', (it) => it.power],
  ['SINCE', (it) => it.assignedAt],
  ['EXPIRES', (it) => (it.phase === 'connected' ? 'not while connected' : it.expiresAt)],
  ['NOTE', (it) => it.warning?.sentence ?? it.sentence],
]

interface AssignOptions {
  readonly machine?: string
  readonly fixed?: boolean
  readonly wait: boolean
}

export function defineDesktopCommands(program: Command, invocation: Invocation): void {
  defineAssign(program, invocation)
  defineClaim(program, invocation)
  for (const [name, summary] of [
    ['unassign', 'take a desktop back'],
    ['release', 'the same as "unassign"'],
  ] as const) {
    program
      .command(name)
      .argument('<MACHINE>')
      .summary(summary)
      .description(
        'Ends the assignment of a desktop. Before anybody else gets it, it is stopped or ' +
          "rebuilt, as the pool's policy says. Refused while a viewer is connected, unless " +
          'forced.',
      )
      .option('--force', 'also while a viewer is connected: it is cut')
      .action(async (machine: string, { force }: { force?: boolean }) => {
        await invocation.client.sendOnly('POST', apiPath`/machines/${machine}/release`, { force })
        invocation.output.show({ machine }, () => plainLine(`released ${machine}`))
      })
  }
  defineExtend(program, invocation)
  defineRebuild(program, invocation)
  defineDesktops(program, invocation)
}

function defineExtend(program: Command, invocation: Invocation): void {
  program
    .command('extend')
    .argument('<MACHINE>')
    .summary('more time for a desktop')
    .description(
      'The time after which a desktop is given back starts again, and so does the limit of the session.',
    )
    .action(async (machine: string) => {
      showDesktops(invocation, [
        await invocation.client.send(
          'POST',
          apiPath`/machines/${machine}/extend`,
          undefined,
          Desktop,
        ),
      ])
    })
}

function defineRebuild(program: Command, invocation: Invocation): void {
  program
    .command('rebuild')
    .argument('<MACHINE>')
    .summary('rebuild the disk of a desktop')
    .description(
      "Recreates the disk of a pool's member from the current generation; what is on it is " +
        'lost. Also repairs a member that failed.',
    )
    .option('--yes', 'do not ask')
    .action(async (machine: string, { yes }: { yes?: boolean }) => {
      if (
        yes !== true &&
        !(await confirm(
          plainLine(`Rebuild ${machine}? What is on its disk is lost.`),
          'give --yes',
        ))
      )
        throw new CliError('refused', 'Not confirmed; nothing was done.')
      await invocation.client.sendOnly('POST', apiPath`/machines/${machine}/rebuild`)
      invocation.output.show({ machine }, () => plainLine(`rebuilding ${machine}`))
    })
}

function defineDesktops(program: Command, invocation: Invocation): void {
  program
    .command('desktops')
    .summary('who has which desktop')
    .description(
      'Lists the desktops that people and thin clients have, in what state, and until ' +
        'when.\nHorizon: machines and sessions.',
    )
    .option('--mine', "one's own")
    .action(async ({ mine }: { mine?: boolean }) => {
      const answer = await invocation.client.get(
        mine === true ? '/desktops/mine' : '/desktops',
        DesktopList,
      )
      invocation.output.list(answer, COLUMNS, answer.desktops)
    })
}

function defineAssign(program: Command, invocation: Invocation): void {
  program
    .command('assign')
    .argument('[POOL]', 'left out with --machine')
    .argument('[USER]', 'who gets it')
    .summary('give somebody a desktop')
    .description(
      'Gives a person a desktop of a pool, starts it if it was stopped, and waits until it ' +
        'can be opened. Who has one of this pool already keeps it.\nWith --machine and no ' +
        'pool: this machine, also one that is in no pool. Horizon: assign a machine to a user.',
    )
    .option('--machine <MACHINE>', 'this one')
    .option('--fixed', 'for good: it never expires')
    .option('--no-wait', 'do not wait until it can be opened')
    .action(
      async (
        pool: string | undefined,
        user: string | undefined,
        { machine, fixed, wait }: AssignOptions,
      ) => {
        const who = user ?? (machine === undefined ? undefined : pool)
        if (who === undefined)
          throw new CliError(
            'usage',
            'Say who gets it: berth assign POOL USER, or berth assign --machine MACHINE USER.',
          )
        const path =
          user === undefined
            ? apiPath`/machines/${machine ?? ''}/assign`
            : apiPath`/pools/${pool ?? ''}/assign`
        const body = user === undefined ? { user: who, fixed } : { user: who, machine, fixed }
        const ask = async (waitMs: number): Promise<AssignAnswer> =>
          await invocation.client.send('POST', path, { ...body, waitMs }, AssignAnswer)
        const first = await ask(0)
        for (const warning of first.warnings) invocation.say(warning)
        const desktop = await untilReady(invocation, first, wait ? ask : null)
        invocation.output.show(
          desktop,
          () =>
            plainLine(`assigned ${desktop.machine} -> ${desktop.holder}`) +
            `\n${connectLine(desktop)}`,
        )
      },
    )
}

function defineClaim(program: Command, invocation: Invocation): void {
  program
    .command('claim')
    .argument('<POOL>')
    .summary('get a desktop for oneself')
    .description(
      'Gives you your desktop of a pool: the one you have, or a free one, which is started. ' +
        'Waits until it can be opened.\nHorizon: launch desktop.',
    )
    .option(
      '--wait',
      'take a place in the queue when all are taken, and wait; Ctrl-C gives the place up',
    )
    .action(async (pool: string, { wait }: { wait?: boolean }) => {
      const ask = async (waitMs: number): Promise<ClaimAnswer> =>
        await invocation.client.send(
          'POST',
          apiPath`/pools/${pool}/claim`,
          { wait, waitMs },
          ClaimAnswer,
        )
      let told = ''
      for (let answer = await ask(0); ; answer = await ask(ASK_MS)) {
        if (answer.desktop) {
          const desktop = await untilReady(
            invocation,
            answer.desktop,
            async (waitMs) => (await ask(waitMs)).desktop,
          )
          return void invocation.output.show(
            desktop,
            () =>
              plainLine(`${desktop.machine} is yours: ${desktop.sentence}`) +
              `\n${connectLine(desktop)}`,
          )
        }
        const sentence = `Place ${answer.queue?.place ?? '?'} in the queue. ${answer.queue?.sentence ?? ''}`
        if (sentence !== told) invocation.say(sentence)
        told = sentence
      }
    })
}

/** Asks again until the desktop can be opened. It may become another one: one that does not start is exchanged. */
async function untilReady(
  invocation: Invocation,
  first: Desktop,
  ask: ((waitMs: number) => Promise<Desktop | null>) | null,
): Promise<Desktop> {
  const startMs = performance.now()
  let desktop = first
  let told = ''
  while (
    ask !== null &&
    desktop.phase === 'preparing' &&
    performance.now() - startMs < LONGEST_START_MS
  ) {
    const sentence = `${desktop.machine}: ${desktop.sentence}`
    if (sentence !== told) invocation.say(sentence)
    told = sentence
    desktop = (await ask(ASK_MS)) ?? desktop
  }
  return desktop
}

function connectLine(desktop: Desktop): string {
  return plainLine(`connect: berth connect ${desktop.machine}`)
}

function showDesktops(invocation: Invocation, desktops: Desktop[]): void {
  const [only] = desktops
  invocation.output.list(desktops.length === 1 ? only : { desktops }, COLUMNS, desktops)
}
