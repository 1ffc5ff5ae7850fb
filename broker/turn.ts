import { setImmediate as nextTurn } from 'node:timers/promises'

/** So long may one piece of work go on before sockets and timers get their turn. */
const TURN_MS = 5

/** A share of the one thread. */
export class Turn {
  #began = performance.now()

  /** Lets others go on when it has lasted long enough. */
  async passed(): Promise<void> {
    if (performance.now() - this.#began > TURN_MS) await this.next()
  }

  /** Lets others go on. */
  async next(): Promise<void> {
    await nextTurn()
    this.#began = performance.now()
  }
}

/** As `map`, while others get their turns. */
export async function mapInTurns<T, R>(items: Iterable<T>, act: (item: T) => R): Promise<R[]> {
  const turn = new Turn()
  const results: R[] = []
  for (const item of items) {
    results.push(act(item))
    await turn.passed()
  }
  return results
}
