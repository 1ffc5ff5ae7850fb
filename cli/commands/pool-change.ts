import type { Command } from 'commander'
import { setTimeout as delay } from 'node:timers/promises'
import { PoolAndJob, PoolDetail } from '../../broker/api/pools.js'
import type { PoolPolicyPatch } from '../../broker/api/pool-policy.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import { followJobs } from '../follow-job.js'
import type { Invocation } from '../invocation.js'
import { parseInteger } from '../quantities.js'
import { policyBody, withPolicy } from './pool-policy-options.js'
import { showPoolFields } from './pool-table.js'

export function definePoolChange(pool: Command, invocation: Invocation): void {
  defineResize(pool, invocation)
  defineSet(pool, invocation)
}

function defineResize(pool: Command, invocation: Invocation): void {
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
}

function defineSet(pool: Command, invocation: Invocation): void {
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
