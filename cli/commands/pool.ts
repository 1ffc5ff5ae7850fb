import type { Command } from 'commander'
import { setTimeout as delay } from 'node:timers/promises'
import { JobRef } from '../../broker/api/images.js'
import { Pool, PoolAndJob, PoolDetail } from '../../broker/api/pools.js'
import type { PoolPolicyPatch } from '../../broker/api/pool-policy.js'
import { apiPath, apiQuery } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import { followJobs } from '../follow-job.js'
import type { Invocation } from '../invocation.js'
import { plainLine } from '../plain-text.js'
import { confirm } from '../prompts.js'
import { parseInteger, parseMemoryMib } from '../quantities.js'
import { policyBody, withPolicy } from './pool-policy-options.js'
import { listPools, showPool, showPoolFields } from './pool-table.js'

interface CreateOptions extends PoolPolicyPatch {
  readonly from?: string
  readonly size?: number
  readonly hypervisor?: string[]
  readonly memory?: number
  readonly vcpus?: number
  readonly network?: string
  readonly discardChanges?: boolean
  readonly namespace?: string
  readonly wait: boolean
}

export function definePoolCommands(program: Command, invocation: Invocation): void {
  const pool = program
    .command('pool')
    .summary('sets of desktops that are handed out')
    .description(
      'A pool is a named set of machines under one policy, usually made from one golden ' +
        'machine. People and thin clients claim a desktop of it.\nHorizon: automated desktop ' +
        'pool. Proxmox VE: a pool of linked clones, which something else hands out.',
    )
  defineCreate(pool, invocation)
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
  defineChanging(pool, invocation)
  defineDelete(pool, invocation)
  defineMembers(pool, invocation)
  defineMaintenance(pool, invocation)
}

function defineCreate(pool: Command, invocation: Invocation): void {
  const create = pool
    .command('create')
    .argument('<NAME>', 'its name; members are called NAME-1, NAME-2, …')
    .summary('create a pool and build its members')
    .description(
      'Creates a pool and builds its members from a golden machine, which must be stopped: ' +
        'each has its own name, UUID, MAC and disk, and they are spread over the hypervisors. ' +
        'A member that cannot be built is cleaned up and tried again; the others ' +
        'stay.\nWithout --from it is empty: see "berth pool add". Horizon: add a desktop pool. ' +
        'Proxmox VE: qm clone, many times.',
    )
    .option(
      '--from <MACHINE>',
      'the golden machine. Of a source or simple one the disk is copied; an initial is used as it is',
    )
    .option('--size <N>', 'members, 0 to 1000', parseInteger(0, 1000))
    .option(
      '--hypervisor <HYPERVISOR>',
      'where members may live; may be repeated; without it, everywhere',
      (name: string, before: string[] = []) => [...before, name],
    )
    .option(
      '--memory <SIZE>',
      'of each member; without it, that of the golden machine',
      parseMemoryMib,
    )
    .option('--vcpus <N>', 'processors of each member', parseInteger(1, 512))
    .option('--network <NETWORK>', 'network:NAME (libvirt), bridge:NAME, or none')
    .option('--discard-changes', 'virtual snapshot: changes are thrown away at power-off')
    .option('--namespace <LABEL>', 'a label, shown with the name')
  withPolicy(create)
    .option('--no-wait', 'print the job id and do not follow it')
    .action(async (name: string, options: CreateOptions) => {
      const {
        from,
        size,
        hypervisor: hypervisors,
        memory: memoryMib,
        vcpus,
        network,
        discardChanges,
        namespace,
        wait,
      } = options
      const body = {
        name,
        from,
        size,
        hypervisors,
        memoryMib,
        vcpus,
        network,
        discardChanges,
        namespace,
        policy: policyBody(options),
      }
      const answer = await invocation.client.send('POST', '/pools', body, PoolAndJob)
      if (answer.job === null) showPoolFields(invocation, answer.pool)
      else await invocation.finishJob(answer, answer.job, wait)
    })
}

function defineChanging(pool: Command, invocation: Invocation): void {
  pool
    .command('resize')
    .argument('<POOL>')
    .argument('<N>', 'members', parseInteger(0, 1000))
    .summary('grow or shrink a pool')
    .description(
      'Growing builds what is missing. Shrinking takes free members; an assigned one goes ' +
        'when it is released, or at once with --force.',
    )
    .option('--force', 'also desktops that somebody has: their viewers are cut')
    .option('--no-wait', 'do not wait until it has that size')
    .action(
      async (name: string, size: number, { force, wait }: { force?: boolean; wait: boolean }) => {
        const answer = await invocation.client.send(
          'PATCH',
          apiPath`/pools/${name}`,
          { size, force },
          PoolAndJob,
        )
        if (answer.job !== null) return await invocation.finishJob(answer, answer.job, wait)
        if (wait) await untilShrunk(invocation, name)
        showPoolFields(
          invocation,
          (await invocation.client.get(apiPath`/pools/${name}`, PoolDetail)).pool,
        )
      },
    )
  withPolicy(
    pool
      .command('set')
      .argument('<POOL>')
      .summary('change the policy of a pool')
      .description(
        'Changes what is given and leaves the rest. It holds at once, also for desktops that somebody has.',
      ),
  )
    .option('--no-wait', 'do not follow the job, if one is needed')
    .action(async (name: string, options: PoolPolicyPatch & { wait: boolean }) => {
      const policy = policyBody(options)
      if (policy === undefined)
        throw new CliError(
          'usage',
          'Nothing to change; give at least one setting (berth pool set --help).',
        )
      const answer = await invocation.client.send(
        'PATCH',
        apiPath`/pools/${name}`,
        { policy },
        PoolAndJob,
      )
      if (answer.job === null) showPoolFields(invocation, answer.pool)
      else await invocation.finishJob(answer, answer.job, options.wait)
    })
}

const LONGEST_SHRINKING_MS = 120_000
const LOOK_EVERY_MS = 300

/**
 * Until no more members are there than wanted, or those that are too many are somebody's. The
 * broker makes the jobs for it by itself.
 */
async function untilShrunk(invocation: Invocation, name: string): Promise<void> {
  const startMs = performance.now()
  while (performance.now() - startMs < LONGEST_SHRINKING_MS) {
    const { pool, members } = await invocation.client.get(apiPath`/pools/${name}`, PoolDetail)
    const built = members.filter((member) => member.built)
    if (built.length <= pool.size) return
    if (pool.job !== null) await followJobs(invocation.client, [pool.job])
    else if (built.every((member) => member.state === 'assigned')) {
      return void invocation.say(
        `${built.length - pool.size} more than ` +
          `wanted ${built.length - pool.size === 1 ? 'is' : 'are'} assigned ` +
          `and ${built.length - pool.size === 1 ? 'goes' : 'go'} when released; --force ` +
          `takes ${built.length - pool.size === 1 ? 'it' : 'them'} now.`,
      )
    } else await delay(LOOK_EVERY_MS)
  }
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
