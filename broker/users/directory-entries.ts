import { type Entry, escapeFilter } from 'ldapts'

export interface Found {
  readonly dn: string
  readonly name: string
  readonly displayName: string
}
/** A group by its name and its DN. */
export interface Group {
  readonly name: string
  readonly dn: string
}
/** What has been done so far, for the test of a directory; `said` ends up before an administrator. */
export type Tell = (step: string, said: string) => void

export const DEFAULTS = {
  ldap: {
    filter: '(uid={user})',
    name: 'uid',
    groups: '(|(member={dn})(uniqueMember={dn})(memberUid={user}))',
    nested: 'walk',
  },
  'active-directory': {
    filter: '(&(objectClass=user)(|(sAMAccountName={user})(userPrincipalName={user})))',
    name: 'sAMAccountName',
    groups: '(member={dn})',
    nested: 'chain',
  },
} as const

/** Fills in a filter's `{user}` and `{dn}`, so that no sign in a value has a meaning there (RFC 4515). Pure. */
export function fillFilter(
  filter: string,
  values: Readonly<Partial<Record<'user' | 'dn', string>>>,
): string {
  return filter.replaceAll(/\{(user|dn)\}/g, (whole, name: 'user' | 'dn') => {
    const value = values[name]
    return value === undefined ? whole : escapeFilter`${value}`
  })
}

/** The first value of an attribute, or an empty text; case does not matter. */
export function textOf(entry: Entry, attribute: string): string {
  const key = Object.keys(entry).find((one) => one.toLowerCase() === attribute.toLowerCase())
  const value = key === undefined ? undefined : [entry[key]].flat()[0]
  return value === undefined ? '' : String(value)
}
