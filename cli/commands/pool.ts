import type { Command } from 'commander'
import { JobRef } from '../../broker/api/images.js'
import { Pool, PoolDetail } from '../../broker/api/pools.js'
import { apiPath, apiQuery } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { plainLine } from '../plain-text.js'
import { confirm } from '../prompts.js'
import { definePoolChange } from './pool-change.js'
import { definePoolCreate } from './pool-create.js'
import { listPools, showPool, showPoolFields } from './pool-table.js'

export function definePoolCommands(program: Command, invocation: Invocation): void {
  const pool = program
    .command('pool')
    .summary('sets of desktops that are handed out')
    .description(
      'A pool is a named set of machines under one policy, usually made from one golden ' +
        'machine. People and thin clients claim a desktop of it.\nHorizon: automated desktop ' +
        'pool. Proxmox VE: a pool of linked clones, which something else hands out.',
    )
  definePoolCreate(pool, invocation)
  pool
    .command('list')
    .summary('list pools and their members')
    .description(
      'Lists every pool with its members: free or assigned to whom, running or stopped. With ' +
        '-o json or yaml the pools only.',
    )
    .action(async () => {
      await listPools(invocation)
    })
  pool
    .command('show')
    .argument('<POOL>')
    .summary('show a pool')
    .description(
      'Shows a pool: its policy, the share of members on each generation, and each member.',
    )
    .action(async (name: string) => {
      showPool(invocation, await invocation.client.get(apiPath`/pools/${name}`, PoolDetail))
    })
  definePoolChange(pool, invocation)
  defineDelete(pool, invocation)
  defineMembers(pool, invocation)
  defineMaintenance(pool, invocation)
}

function defineDelete(pool: Command, invocation: Invocation): void {
  pool
    .command('delete')
    .argument('<POOL>')
    .summary('delete a pool and the members it built')
    .description(
      'Deletes a pool, the members that it built with their disks, and the initial machine ' +
        'that it made for itself. Machines added by hand stay. Refused while somebody has a ' +
        'desktop of it, unless forced.',
    )
    .option('--force', 'release the desktops that somebody has: their viewers are cut')
    .option('--keep-machines', 'keep the members as machines')
    .option('--yes', 'do not ask')
    .option('--no-wait', 'print the job id and do not follow it')
    .action(
      async (
        name: string,
        {
          force,
          keepMachines,
          yes,
          wait,
        }: { force?: boolean; keepMachines?: boolean; yes?: boolean; wait: boolean },
      ) => {
        const question =
          'Delete the ' +
          `pool ${name}${keepMachines === true ? '' : ' with the members it built and their disks'}?`
        if (yes !== true && !(await confirm(plainLine(question), 'give --yes')))
          throw new CliError('refused', 'Not confirmed; nothing was done.')
        const ref = await invocation.client.send(
          'DELETE',
          apiPath`/pools/${name}` + apiQuery({ force, keepMachines }),
          undefined,
          JobRef,
        )
        await invocation.finishJob(ref, ref.job, wait)
      },
    )
}

function defineMembers(pool: Command, invocation: Invocation): void {
  pool
    .command('add')
    .argument('<POOL>')
    .argument('<MACHINE>')
    .summary('make a machine a member')
    .description(
      'Makes a vdi or simple machine that exists a member. A machine may be in several pools.',
    )
    .action(async (name: string, machine: string) => {
      showPoolFields(
        invocation,
        await invocation.client.send('POST', apiPath`/pools/${name}/members`, { machine }, Pool),
      )
    })
  pool
    .command('remove')
    .argument('<POOL>')
    .argument('<MACHINE>')
    .summary('take a machine out of a pool')
    .description(
      'Takes a machine out of the pool; it is not deleted. Refused while somebody has it through this pool.',
    )
    .action(async (name: string, machine: string) => {
      showPoolFields(
        invocation,
        await invocation.client.send(
          'DELETE',
          apiPath`/pools/${name}/members/${machine}`,
          undefined,
          Pool,
        ),
      )
    })
}

function defineMaintenance(pool: Command, invocation: Invocation): void {
  pool
    .command('maintenance')
    .addArgument(pool.createArgument('<STATE>').choices(['on', 'off']))
    .argument('<POOL>')
    .summary('hand nothing out, or again')
    .description(
      'A pool in maintenance hands out no further desktop; those that somebody has stay. ' +
        '"berth maintenance on pool/NAME" does the same.',
    )
    .option('--reason <TEXT>', 'shown to whoever asks for a desktop')
    .action(async (state: string, name: string, { reason }: { reason?: string }) => {
      await setPoolMaintenance(invocation, name, state === 'on', reason)
    })
}

export async function setPoolMaintenance(
  invocation: Invocation,
  name: string,
  on: boolean,
  reason: string | undefined,
): Promise<void> {
  showPoolFields(
    invocation,
    await invocation.client.send('PUT', apiPath`/pools/${name}/maintenance`, { on, reason }, Pool),
  )
}
