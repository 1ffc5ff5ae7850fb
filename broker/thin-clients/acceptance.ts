import type { AcceptRequest, Asker } from '../api/thin-clients.js'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import { lettersOf } from './shown-code.js'

/** The device as its row says, and whether it is here and shows its key. */
export interface AcceptedSubject {
  readonly id: string
  readonly accepted: boolean
  readonly here: boolean
  readonly address: string
}

/**
 * itself: what the known device says of itself now is believed. for: whoever has this code
 * (`code:…`) or comes from this address (`address:…`) is given the key at the next contact.
 */
export type Acceptance =
  { readonly kind: 'itself' } | { readonly kind: 'for'; readonly asker: string }

/**
 * Whom an administrator accepts, who has seen these askers. Throws `code_needed` where it may be
 * several, or nobody has what was given. Pure.
 */
export function acceptanceOf(
  subject: AcceptedSubject,
  askers: readonly Asker[],
  { code, address, asNew = false }: AcceptRequest,
): Acceptance {
  if (code !== undefined) return byCode(askers, code)
  const there = askers.filter((one) => address === undefined || one.address === address)
  if (there.length > 1) throw doubt(subject, askers)
  const [only] = there
  if (only === undefined) return ofNobody(subject, address, asNew)
  // One that asks from where the known device is has lost its key; from elsewhere it may be anybody.
  const isElsewhere = address === undefined && only.address !== subject.address
  if (isElsewhere && subject.accepted && subject.here && !asNew) throw doubt(subject, askers)
  return { kind: 'for', asker: `code:${only.code}` }
}

/** Nobody asks in its place: it is meant itself. */
function ofNobody(
  subject: AcceptedSubject,
  address: string | undefined,
  asNew: boolean,
): Acceptance {
  const isOwnAddress = address === undefined || address === subject.address
  if (asNew || !isOwnAddress) throw nobodyAsks(subject.id, address)
  if (subject.accepted && subject.here) return { kind: 'itself' }
  // It has not asked lately: its own address is what the administrator sees.
  return { kind: 'for', asker: `address:${subject.address}` }
}

function nobodyAsks(id: string, address: string | undefined): BrokerError {
  return address === undefined
    ? refusal('nobody_asks', { id })
    : refusal('nobody_asks_from', { id, address })
}

function byCode(askers: readonly Asker[], code: string): Acceptance {
  const found = askers.find((one) => lettersOf(one.code) === lettersOf(code))
  if (!found) throw refusal('nobody_has_code')
  return { kind: 'for', asker: `code:${found.code}` }
}

function doubt(
  { id, here, accepted, address }: AcceptedSubject,
  askers: readonly Asker[],
): BrokerError {
  const list = askers.map((one) => `${one.address} (${one.code})`)
  return accepted && here
    ? refusal('several_ask_and_itself', { id, askers: list, address })
    : refusal('several_ask', { id, askers: list })
}
