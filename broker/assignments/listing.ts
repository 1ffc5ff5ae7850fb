import type { Desktop } from '../api/assignments.js'
import type { PowerState } from '../api/machines.js'
import type { PoolPolicy } from '../api/pools.js'
import type { Occupancy } from '../occupancy/occupancy.js'
import { shownHolder } from '../occupancy/policy.js'
import type { Queries } from '../store/open.js'
import type { AssignmentRow } from '../store/tables.js'
import { mapInTurns } from '../turn.js'
import { expiresAt, hostEmptiedAt, phaseOf, sessionEndsAt, warningOf } from './policy.js'

interface Row extends AssignmentRow {
  readonly name: string
  readonly power: PowerState
  readonly power_reason: string
  readonly pool: string | null
  readonly policy: string | null
  readonly unclean: string | null
  readonly deadline: number | null
  readonly warned_at: number | null
  readonly message: string | null
}

/** Desktops that people and devices have, as the API shows them; sorted by machine. */
export async function listDesktops(
  queries: Queries,
  filter: { holder?: string; machineId?: string },
  now: number,
  occupancy: Pick<Occupancy, 'watchers'>,
): Promise<Desktop[]> {
  const rows = await queries
    .selectFrom('assignment')
    .innerJoin('machine', 'machine.id', 'assignment.machine_id')
    .leftJoin('pool', 'pool.id', 'assignment.pool_id')
    .leftJoin('desktop', 'desktop.machine_id', 'machine.id')
    .leftJoin('drain', 'drain.hypervisor', 'machine.hypervisor')
    .selectAll('assignment')
    .select([
      'drain.deadline',
      'drain.warned_at',
      'drain.message',
      'machine.name',
      'machine.power',
      'machine.power_reason',
      'pool.name as pool',
      'pool.policy',
      'desktop.unclean',
    ])
    .$if(filter.holder !== undefined, (q) => q.where('assignment.holder', '=', filter.holder ?? ''))
    .$if(filter.machineId !== undefined, (q) =>
      q.where('assignment.machine_id', '=', filter.machineId ?? ''),
    )
    .orderBy('machine.name')
    .execute()
  return await mapInTurns(rows, (row) =>
    toDesktop(row, now, [...occupancy.watchers(row.machine_id)]),
  )
}

function toDesktop(row: Row, now: number, watchedBy: string[]): Desktop {
  const policy = row.policy === null ? null : (JSON.parse(row.policy) as PoolPolicy)
  const phase = phaseOf(row, row.power, policy, now)
  const instant = (ms: number | null): string | null =>
    ms === null ? null : new Date(ms).toISOString()
  return {
    machine: row.name,
    pool: row.pool,
    holder: shownHolder(row.holder),
    byAdministrator: row.by_administrator === 1,
    phase,
    sentence: [sentenceFor(row, phase), row.message ?? ''].filter(Boolean).join(' '),
    power: row.power,
    assignedAt: new Date(row.assigned_at).toISOString(),
    connectedAt: instant(row.connected_at),
    disconnectedAt: instant(row.disconnected_at),
    lastUsedAt: new Date(row.idle_since).toISOString(),
    expiresAt: instant(expiresAt(row, policy)),
    sessionEndsAt: row.connected === 1 ? instant(sessionEndsAt(row, policy)) : null,
    warning: warningOf(row, policy, now, hostEmptiedAt(row)),
    notice: row.message ?? '',
    watchedBy,
  }
}

function sentenceFor(row: Row, phase: Desktop['phase']): string {
  if (phase === 'connected') return 'Connected.'
  if (phase === 'grace') return 'The viewer left a moment ago.'
  if (phase === 'off') return 'It is off.'
  if (phase !== 'preparing') return 'It can be opened.'
  if (row.power === 'unknown') return 'Its hypervisor does not answer; it goes on when it is back.'
  if (row.unclean !== null) return 'It is cleaned after its last use.'
  return row.starts_failed > 0
    ? 'It did not start; it is tried again. Who releases it gets another one.'
    : 'It is being started.'
}
