import { setTimeout as delay } from 'node:timers/promises'

/** Waits for a random moment within so many milliseconds: for what may happen at any time, such as kill -9. */
export async function randomMoment(withinMs: number): Promise<void> {
  await delay(Math.random() * withinMs)
}
