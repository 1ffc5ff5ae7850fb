import type { DrainMachine, DrainRequest, DrainState } from '../api/drains.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { durationMs } from '../config.js'
import { refusal } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { Queries } from '../store/open.js'
import type { DrainRow } from '../store/tables.js'
import { type FactsDeps, machinesOn, othersOn, type Seen } from './facts.js'
import { deadlineStep, drainSentence, drainStep, isLeft, progressSentence } from './policy.js'

export interface DrainsDeps extends FactsDeps {
  readonly events: Events
}

const LEAST_DEADLINE_MS = 60_000

/**
 * Hypervisors that are emptied: maintenance, and what is free goes away. The wish is recorded in
 * one transaction; the keeper makes it true. It ends with the maintenance.
 */
export class Drains {
  constructor(readonly deps: DrainsDeps) {}

  /** Also while it is drained already: then message and deadline are changed. Throws `not_found`, `invalid_request`. */
  async begin(
    hypervisor: string,
    { reason, message = '', deadline }: DrainRequest,
    by: Actor,
  ): Promise<DrainState> {
    const { hypervisors, now } = this.deps
    const row = hypervisors.row(hypervisor)
    const withinMs = deadlineOf(deadline)
    const machines = await machinesOn(this.deps, hypervisor)
    const total = machines.filter((machine) => isLeft(drainStep(machine, false))).length
    const at = now()
    const until = withinMs === null ? null : at + withinMs
    await hypervisors.setMaintenance(
      hypervisor,
      true,
      reason ?? row.maintenance_reason,
      by,
      async (tx) => {
        await recordDrain(tx, { hypervisor, at, message, until, total }, by)
      },
    )
    this.deps.events.publish('drainChanged', hypervisor)
    for (const { id, inUse } of machines)
      if (inUse !== null) this.deps.events.publish('drainTold', id)
    return await this.state(hypervisor)
  }

  /** How far it is; of a host that is not drained, what would become of its machines. Throws `not_found`. */
  async state(hypervisor: string): Promise<DrainState> {
    this.deps.hypervisors.row(hypervisor)
    const row = await this.deps.store
      .selectFrom('drain')
      .selectAll()
      .where('hypervisor', '=', hypervisor)
      .executeTakeFirst()
    const over = row !== undefined && deadlineStep(row, this.deps.now()) === 'over'
    const seen = await machinesOn(this.deps, hypervisor)
    const others = (await othersOn(this.deps, hypervisor)) ?? []
    // One that was empty and answers no more was switched off, as it was to be.
    const offNow =
      row !== undefined &&
      row.empty_at !== null &&
      this.deps.hypervisors.link(hypervisor).status().state !== 'up'
    const machines = seen.map((machine) =>
      toApi(
        offNow && machine.power === 'unknown'
          ? { ...machine, power: 'off', unknown: null }
          : machine,
        over,
      ),
    )
    const left = machines.filter(({ step }) => isLeft(step)).length + others.length
    const total = Math.max(row?.total ?? 0, left - others.length)
    return {
      drain: row ? drainOf(row, total) : null,
      left,
      machines,
      others,
      sentence: progressSentence({
        left,
        total,
        others: others.length,
        emptyAt: row?.empty_at ?? null,
        draining: row !== undefined,
      }),
    }
  }
}

function drainOf(row: DrainRow, total: number): NonNullable<DrainState['drain']> {
  const instant = (ms: number | null): string | null =>
    ms === null ? null : new Date(ms).toISOString()
  return {
    beganAt: new Date(row.began_at).toISOString(),
    by: row.ordered_by,
    message: row.message,
    deadline: instant(row.deadline),
    total,
    emptyAt: instant(row.empty_at),
  }
}

function toApi(machine: Seen, over: boolean): DrainMachine {
  const step = drainStep(machine, over)
  return {
    machine: machine.name,
    pool: machine.pool,
    power: machine.power,
    step,
    sentence: drainSentence(machine, step),
    holder: machine.holder,
    connected: machine.held?.phase === 'connected',
    until: machine.holder === null ? null : (machine.held?.expiresAt ?? null),
  }
}

interface NewDrain {
  readonly hypervisor: string
  readonly at: number
  readonly message: string
  /** null: as long as it takes. */
  readonly until: number | null
  /** Machines that are to leave. */
  readonly total: number
}

/** Throws `invalid_request` for one that is too soon; null: there is none. */
function deadlineOf(deadline: string | undefined): number | null {
  if (deadline === undefined) return null
  const withinMs = durationMs(deadline.toUpperCase())
  if (withinMs < LEAST_DEADLINE_MS)
    throw refusal('deadline_too_soon', {}, { details: [{ field: 'deadline' }] })
  return withinMs
}

async function recordDrain(
  tx: Queries,
  { hypervisor, at, message, until, total }: NewDrain,
  by: Actor,
): Promise<void> {
  await tx
    .insertInto('drain')
    .values({
      hypervisor,
      began_at: at,
      ordered_by: by.actor,
      message,
      deadline: until,
      warned_at: null,
      total,
      empty_at: null,
    })
    .onConflict((oc) =>
      oc.column('hypervisor').doUpdateSet({ message, deadline: until, warned_at: null }),
    )
    .execute()
  await recordEvent(tx, by, 'hypervisor.drain', `hypervisor:${hypervisor}`, {
    total,
    message,
    deadline: until === null ? null : new Date(until).toISOString(),
  })
}
