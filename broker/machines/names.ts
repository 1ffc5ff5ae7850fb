import { NAME_PATTERN } from '../api/common.js'
import { refusal } from '../errors/broker-error.js'

/**
 * `pc-{nn}` with count 3 and first 1 gives pc-01, pc-02, pc-03. Throws `invalid_request`; names
 * that end like a generation (`.g7`) are refused too.
 */
export function expandNames(pattern: string, count: number, first: number): string[] {
  const places = [...pattern.matchAll(/\{(n+)\}/g)]
  if (places.length > 1) throw refusal('name_has_numbers', { name: pattern })
  if (count > 1 && places.length === 0) throw refusal('name_needs_number', { count, name: pattern })
  const digits = places[0]?.[1]?.length ?? 0
  return Array.from({ length: count }, (_, index) => {
    const name = pattern.replace(/\{n+\}/, String(first + index).padStart(digits, '0'))
    if (!new RegExp(NAME_PATTERN).test(name)) throw refusal('machine_name_form', { name })
    if (/\.g\d+$/.test(name)) throw refusal('machine_name_like_generation', { name })
    return name
  })
}
