import type { DomainState } from '../hypervisors/hypervisor.js'
import { faultsOr, type Judgement, type Said, says } from './finding.js'
import { named } from './storage-policy.js'

/** What a domain and its machine have in common, and must have equal. */
export interface Shape {
  readonly memoryMib: number
  readonly vcpus: number
  readonly mac: string
  readonly network: string
  readonly disk: string | null
  readonly transient: boolean
  readonly destroyOnReboot: boolean
}
const SHAPE = [
  'memoryMib',
  'vcpus',
  'mac',
  'network',
  'disk',
  'transient',
  'destroyOnReboot',
] as const satisfies ReadonlyArray<keyof Shape>

/**
 * `left`: names of domains that carry Berth's mark and are no machine of this broker. A machine of
 * a job that is still at work may have no domain yet.
 */
export function judgeDomains(
  domains: readonly DomainState[],
  left: readonly string[],
  machines: ReadonlyArray<{ readonly id: string; readonly name: string }>,
): Judgement {
  const missing = machines
    .filter(({ id }) => !domains.some(({ uuid }) => uuid === id))
    .map(({ name }) => name)
  const faults: Said[] = [
    ...(left.length === 0
      ? []
      : [{ code: 'domains-left', values: { count: left.length, names: named(left) } } as const]),
    ...(missing.length === 0
      ? []
      : [
          {
            code: 'domains-missing',
            values: { count: missing.length, names: named(missing) },
          } as const,
        ]),
  ]
  return faultsOr(faults, { code: 'domains-known' }, String(domains.length))
}

/** Names of the domains that have a MAC in common with another one, each with that MAC. */
export function twinsAmong(
  domains: ReadonlyArray<{ readonly name: string; readonly macs: readonly string[] }>,
): string[] {
  const owners = new Map<string, string[]>()
  for (const { name, macs } of domains)
    for (const mac of macs.map((one) => one.toLowerCase()))
      owners.set(mac, [...(owners.get(mac) ?? []), name])
  return [...owners].flatMap(([mac, names]) =>
    names.length < 2 ? [] : [...new Set(names)].map((name) => `${name} (${mac})`),
  )
}

/** Pairs of what the database says and what libvirt says. */
export function judgeDefinitions(
  pairs: ReadonlyArray<{ readonly name: string; readonly wanted: Shape; readonly found: Shape }>,
): Judgement {
  const different = pairs.flatMap(({ name, wanted, found }) => {
    const parts = SHAPE.filter(
      (part) => String(wanted[part]).toLowerCase() !== String(found[part]).toLowerCase(),
    )
    return parts.length === 0 ? [] : [`${name} (${parts.join(', ')})`]
  })
  return different.length === 0
    ? says(String(pairs.length), { code: 'definitions-same' })
    : says(String(pairs.length), {
        code: 'definitions-differ',
        values: { count: different.length, names: named(different) },
      })
}
