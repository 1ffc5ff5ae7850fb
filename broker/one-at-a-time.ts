/**
 * Lets one piece of work go on at a time, in the order of their coming: turns of several at once
 * would add up before sockets and timers get theirs.
 */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve()

  /** Gives what `work` gives, when those before it have ended. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work)
    this.#last = mine.catch(() => undefined) // the one who asked for it hears of its failure
    return await mine
  }
}
