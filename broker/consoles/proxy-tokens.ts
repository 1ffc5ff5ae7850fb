import { createHash, randomBytes } from 'node:crypto'
import type { Holder } from '../api/machines.js'
import { plainAddress, sameHolder } from './policy.js'

/** What a token opens: one display, from one address. */
export interface Pass {
  readonly machineId: string
  readonly hypervisor: string
  readonly displayHost: string
  readonly port: number
  readonly address: string
  readonly holder: Holder
}
interface Issued extends Pass {
  readonly givenAt: number
  open: number
  used: boolean
}

/** From the token to its first CONNECT; as long as the ticket beside it. */
const FIRST_USE_WITHIN_MS = 30_000
/**
 * A SPICE viewer opens one channel a device: main, inputs, cursor and display of each monitor,
 * sound both ways, USB, folders.
 */
const MOST_CHANNELS = 40
/** A viewer uses its token at once; of those that a holder leaves lying the oldest goes. */
const MOST_UNUSED_OF_HOLDER = 50
const TOKEN_BYTES = 24
/** RFC 6761: no resolver asks anybody for such a name, should a viewer ignore its proxy. */
const SUFFIX = '.berth.invalid'

/**
 * Tokens of the console proxy. A token stands in the place of a host name; it is good for one
 * display and one source address: for the first CONNECT within 30 s, then for every channel as long
 * as one is open, and never again. Only hashes are kept.
 */
export class ProxyTokens {
  readonly #issued = new Map<string, Issued>()

  constructor(readonly now: () => number) {}

  get size(): number {
    return this.#issued.size
  }

  /** Gives the host name for the viewer: 192 random bits in a label of 48 characters. */
  issue(pass: Pass): string {
    this.#makeRoom(pass.holder)
    const label = randomBytes(TOKEN_BYTES).toString('hex')
    this.#issued.set(keyOf(`${label}${SUFFIX}`), {
      ...pass,
      address: plainAddress(pass.address),
      givenAt: this.now(),
      open: 0,
      used: false,
    })
    return `${label}${SUFFIX}`
  }

  /** Lets one channel in, and gives what ends it; null for whatever reason, which the asker must not learn. */
  enter(
    token: string,
    port: number,
    address: string,
  ): { readonly pass: Pass; readonly leave: () => void } | null {
    const key = keyOf(token.toLowerCase())
    const found = this.#issued.get(key)
    if (
      !found ||
      found.port !== port ||
      found.address !== plainAddress(address) ||
      found.open >= MOST_CHANNELS
    )
      return null
    if (!found.used && this.now() - found.givenAt > FIRST_USE_WITHIN_MS) return null
    found.used = true
    found.open++
    return {
      pass: found,
      leave: () => {
        if (--found.open === 0) this.#issued.delete(key)
      },
    }
  }

  /** What is open stays open; nothing more is let in. */
  revoke(which: (pass: Pass) => boolean): void {
    for (const [key, issued] of this.#issued) if (which(issued)) this.#issued.delete(key)
  }

  #makeRoom(holder: Holder): void {
    const own: string[] = []
    for (const [key, issued] of this.#issued) {
      if (issued.used) continue
      if (this.now() - issued.givenAt > FIRST_USE_WITHIN_MS) this.#issued.delete(key)
      else if (sameHolder(issued.holder, holder)) own.push(key)
    }
    for (const key of own.slice(0, Math.max(0, own.length - MOST_UNUSED_OF_HOLDER + 1)))
      this.#issued.delete(key)
  }
}

function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
