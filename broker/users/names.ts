import { refusal } from '../errors/broker-error.js'

const LONGEST = 200
/** Control characters, line separators, and marks that turn the direction of text: a name must look like what it is. */
const NOT_IN_A_NAME =
  /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/u
/** Actors of the audit log that are no people. */
const RESERVED = /^(berth$|thin-client:|job:)/

/** The name as it is kept: NFC, without space around it. Throws `invalid_request`. */
export function personName(text: string): string {
  const name = text.normalize('NFC').trim()
  if (name === '' || [...name].length > LONGEST || NOT_IN_A_NAME.test(name))
    throw refusal('person_name_form', { most: LONGEST })
  if (RESERVED.test(nameKey(name))) throw refusal('person_name_reserved', { name })
  return name
}

/** By this a person or a role is found: case and the way accents are written do not matter. */
export function nameKey(name: string): string {
  return name.normalize('NFC').trim().toLowerCase().normalize('NFC')
}
