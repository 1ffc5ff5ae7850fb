/** Who has not asked for so long does not wait any more. */
const COUNTS_MS = 90_000

interface Waiter {
  askedAtMs: number
  patient: boolean
  permitted: boolean
  orderKnown: boolean
}

/**
 * Who waits for a desktop in which order, told without looking at the broker's own queue. Times are
 * those in which somebody could have asked.
 */
export class QueueMemory {
  readonly #waiters = new Map<string, Waiter>()
  #holders = new Set<string>()

  /** Those who go on asking, the last one first: who asks first must not gain by it. */
  patient(nowMs: number): string[] {
    return [...this.#waiters]
      .filter(([, one]) => one.patient && this.#alive(one, nowMs))
      .map(([user]) => user)
      .reverse()
  }

  /** Those who wait now and may have a desktop. */
  waiting(nowMs: number): string[] {
    return [...this.#waiters]
      .filter(([, one]) => one.permitted && this.#alive(one, nowMs))
      .map(([user]) => user)
  }

  /** He was told that he waits. Who waits already keeps his place. */
  asked(user: string, nowMs: number): void {
    const before = this.#waiters.get(user)
    if (before && !this.#alive(before, nowMs)) this.#waiters.delete(user)
    this.#waiters.set(user, {
      orderKnown: true,
      permitted: true,
      ...this.#waiters.get(user),
      askedAtMs: nowMs,
      patient: true,
    })
  }

  gaveUp(user: string): void {
    this.#change(user, { patient: false })
  }

  /**
   * Whether he is dropped from the queue at once, or only when it is his turn, is the broker's
   * business: his place is not known any more.
   */
  permit(user: string, permitted: boolean): void {
    this.#change(user, { permitted, orderKnown: false, patient: false })
  }

  /**
   * Looks at who has a desktop now, and gives what is wrong. `byHand`: whom an administrator gave
   * one meanwhile; `may`: who may have one.
   */
  look(
    holders: ReadonlySet<string>,
    byHand: ReadonlySet<string>,
    may: ReadonlySet<string>,
    nowMs: number,
  ): string[] {
    const faults: string[] = []
    for (const user of holders) {
      if (this.#holders.has(user) || byHand.has(user)) continue
      if (!may.has(user)) faults.push(`${user} was given a desktop and may not have one`)
      if (this.#waiters.get(user)?.orderKnown === false) continue
      const passedOver = this.#before(user, nowMs).find((other) => !holders.has(other))
      if (passedOver !== undefined)
        faults.push(`${user} was given a desktop before ${passedOver}, who waited longer`)
    }
    for (const user of holders) this.#waiters.delete(user)
    this.#holders = new Set(holders)
    return faults
  }

  /** Those who are in front of this person, with an undoubted right to be. */
  #before(user: string, nowMs: number): string[] {
    const names = [...this.#waiters.keys()]
    const own = names.indexOf(user)
    return (own === -1 ? names : names.slice(0, own)).filter((name) => {
      const one = this.#waiters.get(name)
      return one !== undefined && one.permitted && one.orderKnown && this.#alive(one, nowMs)
    })
  }

  #alive({ askedAtMs }: Waiter, nowMs: number): boolean {
    return nowMs - askedAtMs < COUNTS_MS
  }

  #change(user: string, change: Partial<Waiter>): void {
    const waiter = this.#waiters.get(user)
    if (waiter) Object.assign(waiter, change)
  }
}
