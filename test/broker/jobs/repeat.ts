import { brokenRules } from './invariants.js'
import type { Scenario } from './scenarios.js'

/** What a delete that failed half-way leaves: a machine that can be deleted again. */
export const LEFT_BY_DELETE = /has no domain|stands on nothing|is gone/

/** The same wish again, without a fault: it succeeds and all is as it should be. */
export async function repeat(
  engine: Parameters<Scenario['wish']>[0],
  hosts: Parameters<Scenario['faults']>[1],
  scenario: Scenario,
): Promise<string[]> {
  try {
    await engine.succeeded(await scenario.wish(engine))
  } catch (error) {
    if ((await scenario.faults(engine, hosts)).length === 0) return [] // the fault came when everything was done
    return [`repeated: ${error instanceof Error ? error.message : String(error)}`]
  }
  for (const host of hosts) await engine.observer.lookNow(host.name)
  return [
    ...(await brokenRules(engine.store, hosts)),
    ...(await scenario.faults(engine, hosts)),
  ].map((fault) => `repeated: ${fault}`)
}
