import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { ScreenClose } from '../api/consoles.js'
import type { Holder } from '../api/machines.js'
import { refusal } from '../errors/broker-error.js'

/**
 * What a connection that the broker carries is. console: a channel of a SPICE viewer, which QEMU
 * sees too; screen: a display in a browser; watch: the same, only to look; forward: a port of the
 * guest; opening: a browser that has not shown its ticket yet.
 */
export type CarriedKind = 'console' | 'screen' | 'watch' | 'forward' | 'opening'
/** `login`: the login that it ends with; absent: none. */
export interface Carried {
  readonly machineId: string
  readonly holder: Holder
  readonly address: string
  readonly kind: CarriedKind
  readonly login?: string
}
/** Why something is cut: for a program, and for the reader as the end of "was cut: …". */
export interface Cut {
  readonly why: ScreenClose
  readonly reason: string
}
export interface Open extends Carried {
  readonly since: number
}
interface Tunnel extends Open {
  readonly cut: (cut: Cut) => void
}

/**
 * In all, and of one person or device. A viewer holds about ten; the figures bound memory and file
 * descriptors, not ordinary work.
 */
export const MOST_TUNNELS = 4_000
export const MOST_TUNNELS_OF_ONE = 200
/** How long the last bytes may take to reach one side after the other has closed. */
const LINGER_MS = 10_000

/** Every connection that runs through the broker, so that it can be bounded and cut. Emits `change` (machine id). */
export class Tunnels extends EventEmitter<{ change: [string] }> {
  readonly #open = new Set<Tunnel>()
  readonly #byMachine = new Map<string, Set<Tunnel>>()
  readonly #byHolder = new Map<string, number>()

  constructor(readonly now: () => number) {
    super()
  }

  get size(): number {
    return this.#open.size
  }

  of(machineId: string): readonly Open[] {
    return [...(this.#byMachine.get(machineId) ?? [])]
  }
  /** Machines to which anything is carried. */
  machines(): readonly string[] {
    return [...this.#byMachine.keys()]
  }
  all(): readonly Open[] {
    return [...this.#open]
  }

  /** Counts one in from now on; `cut` ends it. Gives the function that counts it out. Throws `too_many_connections`. */
  admit(carried: Carried, cut: (cut: Cut) => void): () => void {
    if (this.#open.size >= MOST_TUNNELS) throw refusal('too_many_tunnels', { most: MOST_TUNNELS })
    const holder = holderKey(carried.holder)
    const own = this.#byHolder.get(holder) ?? 0
    if (own >= MOST_TUNNELS_OF_ONE)
      throw refusal('too_many_tunnels_of_one', { most: MOST_TUNNELS_OF_ONE })
    const tunnel = { ...carried, since: this.now(), cut }
    this.#open.add(tunnel)
    this.#byHolder.set(holder, own + 1)
    const ofMachine = this.#byMachine.get(carried.machineId) ?? new Set()
    this.#byMachine.set(carried.machineId, ofMachine.add(tunnel))
    this.emit('change', carried.machineId)
    return () => {
      this.#remove(tunnel)
    }
  }

  #remove(tunnel: Tunnel): void {
    const { machineId } = tunnel
    if (!this.#open.delete(tunnel)) return
    const ofMachine = this.#byMachine.get(machineId)
    ofMachine?.delete(tunnel)
    if (ofMachine?.size === 0) this.#byMachine.delete(machineId)
    const holder = holderKey(tunnel.holder)
    const left = (this.#byHolder.get(holder) ?? 1) - 1
    if (left === 0) this.#byHolder.delete(holder)
    else this.#byHolder.set(holder, left)
    this.emit('change', machineId)
  }

  /** Cuts what `which` picks; gives how many. */
  cut(which: (carried: Open) => boolean, cut: Cut): number {
    const chosen = [...this.#open].filter(which)
    for (const tunnel of chosen) tunnel.cut(cut)
    return chosen.length
  }
}

function holderKey({ kind, name }: Holder): string {
  return `${kind}:${name}`
}

/**
 * Carries bytes both ways until both sides have ended. Back-pressure is the streams' own; an end in
 * one direction leaves the other open (a half-close); a side that breaks ends the other. `done` is
 * called once.
 */
export function carry(near: Duplex, far: Duplex, done: () => void): void {
  let open = 2
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.on('error', () => {})
    one.once('close', () => {
      if (one.readableEnded) finish(other)
      else other.destroy()
      if (--open === 0) done()
    })
    one.pipe(other)
  }
}

/** Lets what was written reach the other side, then closes. */
function finish(stream: Duplex): void {
  if (stream.destroyed) return
  const end = (): void => {
    clearTimeout(timer)
    stream.destroy()
  }
  const timer = setTimeout(end, LINGER_MS)
  timer.unref()
  stream.resume() // nobody takes what it still says
  if (stream.writableFinished) end()
  else stream.end(end)
}
