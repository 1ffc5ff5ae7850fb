import { randomInt } from 'node:crypto'

/**
 * No vowels, so that no words come out; no digits, so that none is taken for a letter (RFC 8628,
 * 6.1). Eight of them are 34 bits.
 */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const CODE_LETTERS = 8

/** The letters of a code that nobody can guess. */
export function randomCode(): string {
  return Array.from({ length: CODE_LETTERS }, () => LETTERS[randomInt(LETTERS.length)]).join('')
}

/** The letters of a code that follow from a hash of at least 16 bytes. */
export function codeFrom(hash: Buffer): string {
  return Array.from(
    { length: CODE_LETTERS },
    (_, index) => LETTERS[hash.readUInt16BE(2 * index) % LETTERS.length],
  ).join('')
}

/** As it stands on a screen: `BCDF-GHJK`. */
export function spelled(letters: string): string {
  return `${letters.slice(0, 4)}-${letters.slice(4)}`
}

/** The letters of what a person typed: case, spaces and dashes do not matter. */
export function lettersOf(typed: string): string {
  return typed.toUpperCase().replace(/[^A-Z]/g, '')
}
