import { setTimeout as delay } from 'node:timers/promises'

export type UntilOptions = {
  withinMs: number
  /** Time between two looks. */
  everyMs?: number
  /** What is waited for, for the message: "the machine is off". */
  what: string
}

/**
 * Waits for a condition: looks until it gives something truthy, and gives that.
 * A condition that throws counts as not yet true. Throws after `withinMs`, naming
 * what was waited for and what was seen last.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { withinMs, everyMs = 50, what }: UntilOptions,
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const startMs = performance.now()
  let seen: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>
      seen = value
    } catch (error) {
      seen = error
    }
    if (performance.now() - startMs >= withinMs) {
      throw new Error(`not within ${withinMs} ms: ${what}; seen last: ${describe(seen)}`, {
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
