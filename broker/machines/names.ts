import { NAME_PATTERN } from '../api/common.js'
import { BrokerError } from '../errors.js'

/**
 * `pc-{nn}` with count 3 and first 1 gives pc-01, pc-02, pc-03. Throws `invalid_request`; names
 * that end like a generation (`.g7`) are refused too.
 */
export function expandNames(pattern: string, count: number, first: number): string[] {
  const places = [...pattern.matchAll(/\{(n+)\}/g)]
  if (places.length > 1)
    throw new BrokerError(
      'invalid_request',
      `The name ${pattern} holds more than one number: use {n} or {nn} once.`,
    )
  if (count > 1 && places.length === 0)
    throw new BrokerError(
      'invalid_request',
      `${count} machines need a number in their name: write for example ${pattern}-{nn}.`,
    )
  const digits = places[0]?.[1]?.length ?? 0
  return Array.from({ length: count }, (_, index) => {
    const name = pattern.replace(/\{n+\}/, String(first + index).padStart(digits, '0'))
    if (!new RegExp(NAME_PATTERN).test(name))
      throw new BrokerError(
        'invalid_request',
        `"${name}" cannot be a machine's name: letters, digits, dot, dash and underscore, at most 63.`,
      )
    if (/\.g\d+$/.test(name))
      throw new BrokerError(
        'invalid_request',
        `"${name}" ends like a generation of an image: choose another name.`,
      )
    return name
  })
}
