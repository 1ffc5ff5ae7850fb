import { createHash, createHmac } from 'node:crypto'
import type { Asker } from '../api/thin-clients.js'
import type { Store } from '../store/open.js'
import { codeFrom, spelled } from './shown-code.js'

/** A device that asks. `claim`: a secret that it made itself while it had no key; an older agent has none. */
export interface Caller {
  readonly macs: readonly string[]
  readonly key: string | null
  readonly claim: string | null
  readonly address: string
  readonly hostname: string
  readonly version: string
}

interface Noted extends Asker {
  readonly atMs: number
}

/**
 * Who has been silent for longer does not ask any more. A device that waits for an administrator
 * asks twice a minute.
 */
const LATELY_MS = 10 * 60_000
const MOST_FOR_ONE_DEVICE = 16
/** A flood from one address must not push another one off the list. */
const MOST_OF_ONE_ADDRESS = 4
const MOST_DEVICES = 5_000

/** The same device asks again: by its claim, or, of an older agent, by its address. */
export function askerOf({ claim, address }: Pick<Caller, 'claim' | 'address'>): string {
  return claim === null
    ? `address:${address}`
    : `claim:${createHash('sha256').update(claim).digest('hex')}`
}

/** Made with the database: the codes on screens outlast a restart. */
export async function codeSecretOf(store: Store): Promise<string> {
  const { value } = await store
    .selectFrom('setting')
    .select('value')
    .where('name', '=', 'thin-client-codes')
    .executeTakeFirstOrThrow()
  return value
}

/** Who asks in the place of which device, without its key; in memory, since each asks again. */
export class Askers {
  readonly #noted = new Map<string, Map<string, Noted>>()

  constructor(
    readonly secret: string,
    readonly now: () => number,
  ) {}

  /**
   * The code on the screen of who asks in the place of this device. Nobody can make a claim that
   * gives a code of their choice.
   */
  code(deviceId: string, caller: Pick<Caller, 'claim' | 'address'>): string {
    return spelled(
      codeFrom(
        createHmac('sha256', this.secret)
          .update(`${deviceId} ${askerOf(caller)}`)
          .digest(),
      ),
    )
  }

  /** Whether somebody who looks at them would see others now; that it asks again is no news. */
  note(deviceId: string, caller: Caller, trusted: boolean): boolean {
    const asker = askerOf(caller)
    const noted = this.#noted.get(deviceId) ?? new Map<string, Noted>()
    this.#noted.delete(deviceId)
    const before = noted.get(asker)
    noted.delete(asker)
    const ofAddress = [...noted].filter(([, one]) => one.address === caller.address)
    if (ofAddress.length >= MOST_OF_ONE_ADDRESS) noted.delete(ofAddress[0]?.[0] ?? '')
    const atMs = this.now()
    noted.set(asker, {
      address: caller.address,
      code: this.code(deviceId, caller),
      at: new Date(atMs).toISOString(),
      trusted,
      atMs,
    })
    if (noted.size > MOST_FOR_ONE_DEVICE) noted.delete(leastWorth(noted))
    this.#noted.set(deviceId, noted)
    if (this.#noted.size > MOST_DEVICES)
      this.#noted.delete(this.#noted.keys().next().value ?? deviceId)
    return before?.address !== caller.address || before.atMs <= atMs - LATELY_MS
  }

  /** Those of the last minutes, the latest first. */
  of(deviceId: string): Asker[] {
    const since = this.now() - LATELY_MS
    return [...(this.#noted.get(deviceId)?.values() ?? [])]
      .filter(({ atMs }) => atMs > since)
      .reverse()
      .map(({ address, code, at, trusted }) => ({ address, code, at, trusted }))
  }

  forget(deviceId: string): void {
    this.#noted.delete(deviceId)
  }
}

/** One of a network that is trusted is the last to go. */
function leastWorth(noted: ReadonlyMap<string, Noted>): string {
  const entries = [...noted]
  return (entries.find(([, { trusted }]) => !trusted) ?? entries[0])?.[0] ?? ''
}
