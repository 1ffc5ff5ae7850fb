/** Prints each step with the time it took, and remembers whether one failed. */
export class Steps {
  readonly #startMs = performance.now()
  failed = false

  async step<T>(what: string, act: () => Promise<T>): Promise<T> {
    process.stdout.write(`[${this.#clock()}] ${what} …`)
    const startMs = performance.now()
    try {
      const result = await act()
      process.stdout.write(` ${((performance.now() - startMs) / 1000).toFixed(1)} s\n`)
      return result
    } catch (error) {
      process.stdout.write(' FAILED\n')
      throw error
    }
  }

  say(line: string): void {
    process.stdout.write(`${line}\n`)
  }

  fault(what: string, error: unknown): void {
    this.failed = true
    process.stderr.write(`${what}: ${error instanceof Error ? error.message : String(error)}\n`)
  }

  #clock(): string {
    return `${((performance.now() - this.#startMs) / 1000).toFixed(1).padStart(6)} s`
  }
}
