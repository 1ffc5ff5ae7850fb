import type { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import type { Engine } from '../../support/simulated-engine.js'
import { until } from '../../support/until.js'
import { assignedRows } from './pool-rows.js'

/** Whether the broker is connected to this host. */
export function isUp(host: SimulatedHost | undefined): boolean {
  return host?.link?.status().state === 'up'
}

export async function lookAtHosts(engine: Engine, hosts: readonly SimulatedHost[]): Promise<void> {
  for (const host of hosts) if (isUp(host)) await engine.observer.lookNow(host.name)
}

/** Cuts the connection to a host or brings it back, and waits until the broker has noticed. */
export async function setConnected(
  engine: Engine,
  host: SimulatedHost,
  connected: boolean,
): Promise<void> {
  host.link?.setUp(connected)
  await until(() => isUp(host) === connected, {
    withinMs: 2_000,
    everyMs: 1,
    what: 'the connection follows',
  })
  if (connected) await engine.observer.lookNow(host.name)
}

/**
 * Until nothing moves: no job runs, and two looks changed nothing. A job that waits for a host
 * that was cut is not waited for.
 */
export async function untilAtRest(engine: Engine, hosts: readonly SimulatedHost[]): Promise<void> {
  for (let round = 0; round < 40; round += 1) {
    const before = JSON.stringify(await stateOf(engine))
    await untilIdle(engine, hosts)
    await lookAtHosts(engine, hosts)
    await engine.handingOut.keeper.lookNow(false)
    await untilIdle(engine, hosts)
    if (JSON.stringify(await stateOf(engine)) === before) return
  }
}

async function untilIdle(engine: Engine, hosts: readonly SimulatedHost[]): Promise<void> {
  if (hosts.every(isUp)) return await engine.idle(60_000)
  await engine.idle(30).catch(() => {})
}

async function stateOf({ store }: Engine): Promise<unknown> {
  return [
    await assignedRows(store),
    await store.selectFrom('desktop').selectAll().orderBy('machine_id').execute(),
    await store.selectFrom('machine').select(['name', 'power']).orderBy('name').execute(),
  ]
}
