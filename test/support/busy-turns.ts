/** How exactly turns are told apart. */
const SAMPLE_MS = 1

/**
 * The longest turn of this process's event loop, measured by its own processor time where that is
 * shorter than the clock's: what other programs of a busy machine take does not count.
 */
export class BusyTurns {
  #timer: NodeJS.Timeout | undefined
  #longestMs = 0

  start(): void {
    this.#longestMs = 0
    this.#sample(performance.now(), process.cpuUsage())
  }

  /** Gives the longest turn since `start`, in ms. */
  async stop(): Promise<number> {
    // The turn that runs now counts, too.
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
    clearTimeout(this.#timer)
    return this.#longestMs
  }

  #sample(atMs: number, usage: NodeJS.CpuUsage): void {
    this.#timer = setTimeout(() => {
      const { user, system } = process.cpuUsage(usage)
      const took = Math.min(performance.now() - atMs, (user + system) / 1e3)
      this.#longestMs = Math.max(this.#longestMs, took)
      this.#sample(performance.now(), process.cpuUsage())
    }, SAMPLE_MS)
  }
}
