/** A claim by its name; a name with dots that is no claim itself goes into objects: realm_access.roles. Pure. */
export function claimAt(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (name in claims) return claims[name]
  return name
    .split('.')
    .reduce<unknown>(
      (value, part) =>
        typeof value === 'object' && value !== null
          ? (value as Record<string, unknown>)[part]
          : undefined,
      claims,
    )
}

/**
 * The groups that claims tell. `missing`: why there may be others; null when these are all, and an
 * empty list is one.
 */
export interface ToldGroups {
  readonly groups: readonly string[]
  readonly missing: string | null
}

/**
 * Reads the groups in the shapes that providers send: a list, a text, a list or an object written
 * as JSON, objects with a name. Pure.
 */
export function groupsOf(claims: Readonly<Record<string, unknown>>, name: string): ToldGroups {
  const value = claimAt(claims, name)
  if (value === undefined || value === null) return { groups: [], missing: whyAbsent(claims, name) }
  const parts = [fromJson(value)].flat()
  const groups = parts.map(groupName)
  const odd = groups.includes(null)
  return {
    groups: groups.filter((group): group is string => group !== null),
    missing: odd ? `the claim "${name}" has a form that is not known` : null,
  }
}

/** Entra ID leaves the groups of who is in too many out, and says where else they are (`_claim_names`, `hasgroups`). */
function whyAbsent(claims: Readonly<Record<string, unknown>>, name: string): string {
  const elsewhere = claims['_claim_names']
  const over =
    claims['hasgroups'] === true ||
    claims['hasgroups'] === 'true' ||
    (typeof elsewhere === 'object' && elsewhere !== null && name in elsewhere)
  return over
    ? `the person is in too many groups for the claim "${name}"`
    : `there is no claim "${name}"`
}

function fromJson(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value
  try {
    return JSON.parse(value) as unknown
  } catch {
    return value // a group may be called so
  }
}

function groupName(part: unknown): string | null {
  if (typeof part === 'string') return part
  if (typeof part !== 'object' || part === null) return null
  const named = part as Record<string, unknown>
  const name = named['name'] ?? named['displayName'] ?? named['value'] ?? named['id']
  return typeof name === 'string' ? name : null
}
