import { createHash, randomBytes } from 'node:crypto'
import type { Holder } from '../api/machines.js'
import { sameHolder, TICKET_SECONDS } from './policy.js'

/** What a ticket opens, and for whom. `login`: the login that asked for it, and no other one of the same person. */
export interface ScreenPass {
  readonly machineId: string
  readonly holder: Holder
  readonly login: string
  readonly watching: boolean
  readonly clipboard: boolean
}

const TICKET_BYTES = 16
/** A window uses its ticket at once; of those that a login leaves lying the oldest goes. */
const MOST_UNUSED_OF_LOGIN = 50

/** One-time tickets of screens in a browser. Only hashes are kept, in memory: a restart makes them worthless. */
export class ScreenTickets {
  readonly #issued = new Map<string, ScreenPass & { readonly givenAt: number }>()

  constructor(readonly now: () => number) {}

  get size(): number {
    return this.#issued.size
  }

  /** Gives 128 random bits in 22 characters. */
  issue(pass: ScreenPass): string {
    this.#makeRoom(pass.login)
    const ticket = randomBytes(TICKET_BYTES).toString('base64url')
    this.#issued.set(keyOf(ticket), { ...pass, givenAt: this.now() })
    return ticket
  }

  /**
   * What it opens, once; null for whatever reason. One that is shown by somebody else, or
   * elsewhere, is used up too.
   */
  enter(ticket: string, by: Pick<ScreenPass, 'machineId' | 'holder' | 'login'>): ScreenPass | null {
    const found = this.#issued.get(keyOf(ticket))
    this.#issued.delete(keyOf(ticket))
    const good =
      found !== undefined &&
      !this.#isOver(found.givenAt) &&
      found.machineId === by.machineId &&
      found.login === by.login &&
      sameHolder(found.holder, by.holder)
    return good ? found : null
  }

  /** Makes worthless what `which` picks. */
  revoke(which: (pass: ScreenPass) => boolean): void {
    for (const [key, issued] of this.#issued) if (which(issued)) this.#issued.delete(key)
  }

  #makeRoom(login: string): void {
    const own: string[] = []
    for (const [key, issued] of this.#issued)
      if (this.#isOver(issued.givenAt)) this.#issued.delete(key)
      else if (issued.login === login) own.push(key)
    for (const key of own.slice(0, Math.max(0, own.length - MOST_UNUSED_OF_LOGIN + 1)))
      this.#issued.delete(key)
  }

  #isOver(givenAt: number): boolean {
    return this.now() - givenAt > TICKET_SECONDS * 1_000
  }
}

function keyOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex')
}
