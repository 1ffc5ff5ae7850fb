import { setTimeout as delay } from 'node:timers/promises'

export type UntilOptions = {
  withinMs: number
  /** Time between two looks. */
  everyMs?: number
  /** What is waited for, for the message: "the machine is off". */
  what: string
}

/** How much slower than usual guests under emulation may be, where test/run runs them beside other tests. */
const PATIENCE = Number(process.env['BERTH_PATIENCE'] ?? 1)

/**
 * Waits for a condition: looks until it gives something truthy, and gives that.
 * A condition that throws counts as not yet true. Throws after `withinMs` times the
 * patience, naming what was waited for and what was seen last.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { withinMs, everyMs = 50, what }: UntilOptions,
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const startMs = performance.now()
  const limitMs = withinMs * PATIENCE
  let seen: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>
      seen = value
    } catch (error) {
      seen = error
    }
    if (performance.now() - startMs >= limitMs) {
      throw new Error(`not within ${limitMs} ms: ${what}; seen last: ${describe(seen)}`, {
        cause: seen,
      })
    }
    await delay(everyMs)
  }
}

function describe(seen: unknown): string {
  if (seen instanceof Error) return seen.message
  return typeof seen === 'string' ? seen : (JSON.stringify(seen) ?? String(seen))
}
