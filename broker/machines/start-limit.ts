/** At most so many at a time for each key; the others wait in the order in which they came. */
export class Limit {
  readonly #active = new Map<string, number>()
  readonly #waiting = new Map<string, Array<() => void>>()

  constructor(readonly most: (key: string) => number) {}

  async run<T>(key: string, act: () => Promise<T>): Promise<T> {
    await this.#enter(key)
    try {
      return await act()
    } finally {
      this.#leave(key)
    }
  }

  async #enter(key: string): Promise<void> {
    const active = this.#active.get(key) ?? 0
    if (active < this.most(key)) {
      this.#active.set(key, active + 1)
      return
    }
    await new Promise<void>((resolve) => {
      this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), resolve])
    })
  }

  #leave(key: string): void {
    const [next, ...rest] = this.#waiting.get(key) ?? []
    this.#waiting.set(key, rest)
    if (next)
      next() // the place passes on
    else this.#active.set(key, (this.#active.get(key) ?? 1) - 1)
  }
}
