import { BrokerError, refusal, sentenceOf } from '../errors/broker-error.js'
import type { ErrorCode } from '../errors/codes.js'
import { refuseWhatIsInTheWay } from '../images/in-the-way.js'
import { type JobContext, TAKEN_BACK } from '../jobs/context.js'
import type { JobKind } from '../jobs/runner.js'
import { inTransaction } from '../store/transaction.js'
import { defineMachine } from './definition.js'
import type { Leftover } from './leftovers.js'
import {
  AT_ONCE,
  type DefineInput,
  eachMachine,
  type JobMachine,
  type MachineJobDeps,
} from './jobs.js'

/** Journaled before a new machine is begun with: until then there is nothing of it on its host. */
const LOOKED = 'look'

/**
 * Makes the disk (where the machine has one of its own) and the domain. A new machine that cannot
 * be made leaves nothing behind.
 */
export function defineJob(deps: MachineJobDeps): JobKind<DefineInput> {
  return {
    kind: 'define',
    run: async (context) => {
      await eachMachine(
        context,
        context.input.machines,
        async (machine) => await makeOne(deps, context, machine),
        AT_ONCE,
      )
    },
  }
}

async function makeOne(
  deps: MachineJobDeps,
  context: JobContext<DefineInput>,
  machine: JobMachine,
): Promise<string> {
  const { diskBytes, created } = context.input
  try {
    if (context.isDone(machine.name, TAKEN_BACK))
      throw refusal(context.signal.aborted ? 'other_job_cancelled' : 'other_job_failed', {
        said: await context.finish(machine.name, TAKEN_BACK, async () => ''),
      })
    if (created)
      await context.step(machine.name, LOOKED, async () => {
        await refuseForeign(deps, machine, diskBytes !== null)
      })
    if (diskBytes !== null) {
      await context.step(machine.name, 'disk', async () => {
        await deps.hypervisors.link(machine.hypervisor).request(
          'image_create',
          { name: `${machine.name}.qcow2`, size_bytes: diskBytes, owner: machine.id },
          {
            operation: context.operation(machine.name, 'disk'),
            fence: context.job.fence,
            signal: context.signal,
          },
        )
      })
    }
    await context.step(machine.name, 'define', async () => {
      await defineMachine(deps, machine.id, context.signal, context.input.asked)
    })
  } catch (error) {
    if (!created) {
      await restore(deps, context.input, machine, error)
      throw error
    }
    await context.finish(machine.name, TAKEN_BACK, async () => sentenceOf(error))
    await unmake(deps, context, machine)
    throw error
  }
  deps.observer.look(machine.hypervisor)
  return ''
}

/**
 * A host that refuses has changed nothing, and then neither has the database; what it did when it
 * gave no answer is not known.
 */
const REFUSALS: readonly ErrorCode[] = [
  'hypervisor_refused',
  'invalid_request',
  'foreign',
  'cancelled',
]
async function restore(
  deps: MachineJobDeps,
  { before }: DefineInput,
  { id }: JobMachine,
  error: unknown,
): Promise<void> {
  const values = before?.[id]
  if (!values || !(error instanceof BrokerError) || !REFUSALS.includes(error.code)) return
  await deps.store.updateTable('machine').set(values).where('id', '=', id).execute()
}

/**
 * Before anything is changed: neither a domain nor a file that Berth did not make stands where the
 * machine is to be.
 */
async function refuseForeign(
  deps: MachineJobDeps,
  machine: JobMachine,
  ownDisk: boolean,
): Promise<void> {
  await refuseWhatIsInTheWay(deps.hypervisors.link(machine.hypervisor), [
    {
      name: machine.name,
      uuid: machine.id,
      dir: ownDisk ? 'images' : 'overlays',
      file: `${machine.name}.qcow2`,
      owner: machine.id,
    },
  ])
}

/**
 * Takes back what this job has made, and nothing else: the domain with the machine's own UUID, and
 * the disk that carries the id of this job's step. Before anything was made there is nothing to
 * take back; where the host is away it is done later.
 */
async function unmake(
  deps: MachineJobDeps,
  context: JobContext<DefineInput>,
  machine: JobMachine,
): Promise<void> {
  const { id: owner, name, hypervisor } = machine
  const madeBy = context.operation(name, 'disk')
  const made: Leftover[] = context.isDone(name, LOOKED)
    ? [
        { kind: 'domain', name, owner, made_by: null },
        { kind: 'image', name: `${name}.qcow2`, owner, made_by: madeBy },
      ]
    : []
  await inTransaction(deps.store, async (tx) => {
    await deps.leftovers.note(tx, hypervisor, made)
    await tx.deleteFrom('machine').where('id', '=', machine.id).execute()
  })
  if (made.length > 0) await deps.leftovers.clear(hypervisor)
}
