import { createHash } from 'node:crypto'
import type { AskAnswer } from '../api/thin-clients.js'
import type { PowerState } from '../api/machines.js'
import type { Target } from './clients-entry.js'

/** What is known of a target's machine at the moment of the question. */
export interface MachineFacts {
  readonly id: string
  readonly name: string
  readonly hypervisor: string
  readonly type: string
  readonly power: PowerState
  readonly powerReason: string
  readonly hasDisk: boolean
  readonly maintenance: boolean
  readonly maintenanceReason: string
  readonly hypervisorUp: boolean
  readonly hypervisorMaintenance: boolean
  readonly hypervisorReason: string
  /** The job that works on it now. */
  readonly job: { readonly id: string; readonly kind: string } | null
  /** Who else uses it, or null. */
  readonly takenBy: string | null
  /** The last start failed a short while ago, with this sentence. */
  readonly startFailure: string | null
}

/** What is known of a pool that a target names. */
export interface PoolFacts {
  readonly name: string
  readonly maintenance: boolean
  readonly maintenanceReason: string
}

/**
 * login: it is a person's desktop that is shown; show: this target can be had; start: its machine
 * must be started first; claim: a desktop of this pool; wait: the sentence says for what.
 */
export type Step =
  | { readonly do: 'show'; readonly target: Target; readonly machine: MachineFacts | null }
  | { readonly do: 'login'; readonly pools: readonly string[]; readonly machine: null }
  | { readonly do: 'claim'; readonly pool: string; readonly machine: null }
  | { readonly do: 'start'; readonly machine: MachineFacts; readonly sentence: string }
  | {
      readonly do: 'wait'
      readonly state: Exclude<AskAnswer['state'], 'ready'>
      readonly sentence: string
      readonly machine: MachineFacts | null
    }

/**
 * The first target that can be had; a machine in maintenance, or on a host that is away, is passed
 * over as long as another target follows. `machineOf` and `poolOf` give null for what was deleted
 * since clients.xml was read.
 */
export function nextStep(
  targets: readonly Target[],
  machineOf: (name: string) => MachineFacts | null,
  poolOf: (name: string) => PoolFacts | null = () => null,
): Step {
  let first: Step | null = null
  for (const target of targets) {
    // whatever came before cannot be had now
    if (target.protocol === 'login') return { do: 'login', pools: target.pools, machine: null }
    const step =
      target.protocol === 'pool'
        ? stepForPool(target.pool, poolOf(target.pool))
        : stepFor(target, machineOf)
    if (step.do !== 'wait' || step.state === 'starting') return step // one that is on its way is worth the moment
    first ??= step
  }
  return (
    first ?? {
      do: 'wait',
      state: 'unknown',
      sentence: 'No desktop is configured for this device. Ask the administrator.',
      machine: null,
    }
  )
}

function stepForPool(name: string, pool: PoolFacts | null): Step {
  if (!pool) return wait(null, 'unknown', `The pool ${name} does not exist. Ask the administrator.`)
  if (pool.maintenance)
    return wait(
      null,
      'maintenance',
      `${pool.name} is in maintenance${because(pool.maintenanceReason)} This screen goes on by itself when it ends.`,
    )
  return { do: 'claim', pool: pool.name, machine: null }
}

function stepFor(
  target: Exclude<Target, { protocol: 'pool' | 'login' }>,
  machineOf: (name: string) => MachineFacts | null,
): Step {
  if (target.protocol === 'rdp' || target.protocol === 'horizon')
    return { do: 'show', target, machine: null }
  const machine = machineOf(target.machine)
  if (!machine)
    return wait(
      null,
      'unknown',
      `The machine ${target.machine} does not exist any more. Ask the administrator.`,
    )
  return hindrance(machine) ?? power(target, machine)
}

function hindrance(machine: MachineFacts): Step | null {
  const { name, hypervisor } = machine
  if (machine.maintenance)
    return wait(
      machine,
      'maintenance',
      `${name} is in maintenance${because(machine.maintenanceReason)} This screen goes on by itself when it ends.`,
    )
  if (machine.hypervisorMaintenance)
    return wait(
      machine,
      'maintenance',
      `${hypervisor}, where ${name} runs, is in ` +
        `maintenance${because(machine.hypervisorReason)} This screen goes on by itself when it ` +
        'ends.',
    )
  if (!machine.hypervisorUp)
    return wait(
      machine,
      'waiting',
      `${hypervisor}, where ${name} runs, does not answer. This screen goes on by itself when it is back.`,
    )
  if (machine.job && machine.job.kind !== 'power')
    return wait(
      machine,
      'waiting',
      `${name} is being made ready (job ${machine.job.id}, ${machine.job.kind}).`,
    )
  if (machine.takenBy !== null)
    return wait(machine, 'waiting', `${name} is in use: ${machine.takenBy}.`)
  return null
}

function power(target: Target, machine: MachineFacts): Step {
  const { name } = machine
  switch (machine.power) {
    case 'running':
      return { do: 'show', target, machine }
    case 'missing':
      return wait(
        machine,
        'waiting',
        `${name} does not exist on ${machine.hypervisor}. Ask the administrator to populate it again.`,
      )
    case 'unknown':
      return wait(machine, 'waiting', `Looking for ${name} on ${machine.hypervisor}.`)
    case 'shutting-down':
      return wait(machine, 'starting', `${name} is shutting down; it is started again then.`)
    case 'paused':
      return wait(machine, 'waiting', `${name} is paused. ${machine.powerReason}`)
    case 'off':
    case 'crashed':
    case 'suspended':
      break
  }
  if (!machine.hasDisk)
    return wait(
      machine,
      'waiting',
      `${name} has no disk yet. Ask the administrator to populate its initial machine.`,
    )
  if (machine.job) return wait(machine, 'starting', `${name} is being started.`)
  if (machine.startFailure !== null)
    return wait(machine, 'waiting', `${name} could not be started: ${machine.startFailure}`)
  return { do: 'start', machine, sentence: `${name} is being started.` }
}

/** A guest that has just been started may not listen yet. */
const RDP_COMES_WITHIN_MS = 60_000

/**
 * By which way a desktop of a pool is shown: the one that stands first among the policy's
 * `protocols` and can be had. `address`: where its RDP answers now, or null. A guest that is on no
 * network of the device's, behind its host's NAT, is shown by its display; so is one whose RDP does
 * not come.
 */
export function wayTo(
  protocols: readonly string[],
  network: string,
  address: string | null,
  runsForMs: number,
): 'rdp' | 'wait' | 'display' {
  const order = protocols.filter((protocol) => protocol === 'rdp' || protocol === 'spice')
  if (order[0] !== 'rdp' || !network.startsWith('bridge:')) return 'display'
  if (address !== null) return 'rdp'
  return runsForMs < RDP_COMES_WITHIN_MS ? 'wait' : 'display'
}

function wait(
  machine: MachineFacts | null,
  state: Exclude<AskAnswer['state'], 'ready'>,
  sentence: string,
): Step {
  return { do: 'wait', state, sentence, machine }
}

function because(reason: string): string {
  return reason === '' ? '.' : `: ${reason.replace(/[.\s]+$/, '')}.`
}

/** Names an answer: the same as long as the device would be shown the same. */
export function markOf(state: AskAnswer['state'], sentence: string, more: unknown = null): string {
  return createHash('sha256')
    .update(`${state}\n${sentence}${more === null ? '' : `\n${JSON.stringify(more)}`}`)
    .digest('base64url')
    .slice(0, 16)
}

/**
 * When a device that waits asks again, should the long poll not have answered before. Those who
 * wait for an administrator may wait longer.
 */
export function askAgainMs(state: AskAnswer['state']): number {
  return {
    ready: 0,
    starting: 1_000,
    maintenance: 10_000,
    waiting: 5_000,
    login: 30_000,
    choose: 30_000,
    unknown: 30_000,
  }[state]
}
