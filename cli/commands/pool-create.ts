import type { Command } from 'commander'
import { PoolAndJob } from '../../broker/api/pools.js'
import type { PoolPolicyPatch } from '../../broker/api/pool-policy.js'
import type { Invocation } from '../invocation.js'
import { parseInteger, parseMemoryMib } from '../quantities.js'
import { policyBody, withPolicy } from './pool-policy-options.js'
import { showPoolFields } from './pool-table.js'

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

export function definePoolCreate(pool: Command, invocation: Invocation): void {
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
  withPolicy(withMembers(create))
    .option('--no-wait', 'print the job id and do not follow it')
    .action(async (name: string, options: CreateOptions) => {
      const body = createBody(name, options)
      const answer = await invocation.client.send('POST', '/pools', body, PoolAndJob)
      if (answer.job === null) showPoolFields(invocation, answer.pool)
      else await invocation.finishJob(answer, answer.job, options.wait)
    })
}

/** Which machines it is made of. */
function withMembers(create: Command): Command {
  return create
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
}

function createBody(name: string, options: CreateOptions): Record<string, unknown> {
  const { from, size, vcpus, network, discardChanges, namespace } = options
  return {
    name,
    from,
    size,
    hypervisors: options.hypervisor,
    memoryMib: options.memory,
    vcpus,
    network,
    discardChanges,
    namespace,
    policy: policyBody(options),
  }
}
