import { type Static, Type } from '@sinclair/typebox'
import { oneOf, strictObject } from './api/common.js'
import { RoleName } from './api/permissions.js'

/**
 * The settings about people who come from elsewhere: directories (LDAP), providers (OpenID
 * Connect), a proxy in front of the broker.
 */

const SourceName = Type.String({
  pattern: '^(?!(local|proxy)$)[a-z0-9][a-z0-9._-]{0,62}$',
  description: 'Small letters, digits, dot, dash, underscore; not local or proxy',
})
const Roles = Type.Record(Type.String(), Type.Array(RoleName), {
  default: {},
  description:
    "Which roles the members of a group get: the group's name (or its DN), and a list of roles",
})
const Duration = Type.String({
  pattern: '^PT(?=.)(\\d+M)?(\\d+(\\.\\d+)?S)?$',
  description: 'ISO 8601, such as PT10S',
})
const path = (description: string) => Type.String({ default: '', description })

export const DirectorySettings = strictObject({
  name: { ...SourceName, description: `Its name in Berth. ${SourceName.description ?? ''}` },
  type: oneOf(['ldap', 'active-directory'] as const, {
    default: 'ldap',
    description: 'Decides the defaults of user-filter, user-name and nested-groups',
  }),
  urls: Type.Array(Type.String({ pattern: '^ldaps?://[A-Za-z0-9.\\[\\]:_-]+$' }), {
    minItems: 1,
    description:
      '`ldaps://HOST`, or `ldap://HOST` with start-tls; the next one is asked when one does ' +
      'not answer, is busy or is unwilling',
  }),
  'start-tls': Type.Boolean({
    default: false,
    description:
      'Encrypt `ldap://` before anything is sent; without it only `ldaps://` is accepted',
  }),
  'ca-file': path('The CA of its certificate (PEM); empty: those that Node trusts'),
  'bind-dn': Type.String({
    default: '',
    description: 'The account that searches; empty: anonymous',
  }),
  'bind-password-file': path('A file with that password in its first line'),
  base: Type.String({ minLength: 1, description: 'Where users are searched for' }),
  'user-filter': Type.String({
    default: '',
    description:
      '`{user}` is what was typed. Empty: `(uid={user})`; Active Directory: ' +
      '`(&(objectClass=user)(|(sAMAccountName={user})(userPrincipalName={user})))`',
  }),
  'user-name': Type.String({
    default: '',
    description:
      'The attribute that names the account here. Empty: `uid`; Active Directory: `sAMAccountName`',
  }),
  'display-name': Type.String({
    default: 'displayName',
    description: 'The attribute with the display name',
  }),
  'group-base': Type.String({
    default: '',
    description: 'Where groups are searched for; empty: base',
  }),
  'group-filter': Type.String({
    default: '',
    description:
      '`{dn}` is the member, `{user}` the name of its account. Empty: ' +
      '`(|(member={dn})(uniqueMember={dn})(memberUid={user}))`; Active Directory: ' +
      '`(member={dn})`',
  }),
  'group-name': Type.String({ default: 'cn', description: 'The attribute that names a group' }),
  'nested-groups': oneOf(['default', 'none', 'walk', 'chain'] as const, {
    default: 'default',
    description:
      'Groups in groups: none; walk from group to group; or chain, one query that only ' +
      'Active Directory understands, with a walk where that takes too long. default: walk; ' +
      'with Active Directory, chain',
  }),
  roles: Roles,
  timeout: { ...Duration, default: 'PT10S', description: 'How long it may take to answer' },
})
export type DirectorySettings = Static<typeof DirectorySettings>

export const ProviderSettings = strictObject({
  name: {
    ...SourceName,
    description:
      'Its name in Berth; it is part of the redirect address, ' +
      `https://BROKER/api/v1/login/oidc/NAME/callback. ${SourceName.description ?? ''}`,
  },
  title: Type.String({
    default: '',
    maxLength: 100,
    description: 'Its name on the login page',
  }),
  issuer: Type.String({
    pattern: '^https://[^\\s]+$',
    description: 'Its address, as in its own tokens',
  }),
  'client-id': Type.String({ minLength: 1, description: 'The name of Berth at the provider' }),
  'client-secret-file': path('A file with its secret in its first line; empty: a public client'),
  'ca-file': path('The CA of its certificate (PEM); empty: those that Node trusts'),
  scope: Type.String({
    default: 'openid profile email',
    description: 'The scope that is requested',
  }),
  'name-claim': Type.String({
    default: 'preferred_username',
    description: 'The claim that names the account here',
  }),
  'roles-claim': Type.String({
    default: 'groups',
    description:
      'The claim with the groups: a text, a list, or a list of objects with a name; a dot ' +
      'goes into an object. Without it, roles stay as they are',
  }),
  'token-auth': oneOf(['default', 'basic', 'post'] as const, {
    default: 'default',
    description:
      'How the secret is sent: in a header (basic) or in the body (post); default: as the provider advertises',
  }),
  roles: Roles,
})
export type ProviderSettings = Static<typeof ProviderSettings>

export const ProxySettings = strictObject({
  header: Type.String({
    pattern: '^[A-Za-z][A-Za-z0-9-]{0,99}$',
    description: 'The header with the name of the person',
  }),
  addresses: Type.Array(Type.String(), {
    minItems: 1,
    description: 'Addresses or networks of the proxy; from any other address the header is ignored',
  }),
  'groups-header': Type.String({
    default: '',
    pattern: '^([A-Za-z][A-Za-z0-9-]{0,99})?$',
    description: 'The header with the groups, separated by commas',
  }),
  roles: Roles,
})
export type ProxySettings = Static<typeof ProxySettings>

/** The settings inside of `directories`, `oidc-providers` and `trusted-proxy`. */
export const LOGIN_SETTINGS = {
  directories: DirectorySettings,
  'oidc-providers': ProviderSettings,
  'trusted-proxy': ProxySettings,
} as const

/** What the schemas cannot say: [setting, fault] for each fault. `isNetwork` tells an address or network. */
export function loginFaults(
  settings: {
    directories: readonly DirectorySettings[]
    'oidc-providers': readonly ProviderSettings[]
    'trusted-proxy': ProxySettings | null
  },
  isNetwork: (text: string) => boolean,
): Array<[keyof typeof LOGIN_SETTINGS, string]> {
  const faults: Array<[keyof typeof LOGIN_SETTINGS, string]> = []
  const names = new Set<string>()
  for (const [setting, list] of [
    ['directories', settings.directories],
    ['oidc-providers', settings['oidc-providers']],
  ] as const) {
    for (const { name } of list) {
      if (names.has(name)) faults.push([setting, `two are called "${name}"`])
      names.add(name)
    }
  }
  for (const directory of settings.directories)
    for (const fault of directoryFaults(directory))
      faults.push(['directories', `${directory.name}: ${fault}`])
  for (const address of settings['trusted-proxy']?.addresses ?? [])
    if (!isNetwork(address))
      faults.push(['trusted-proxy', `"${address}" is not an address or a network`])
  return faults
}

function directoryFaults(directory: DirectorySettings): string[] {
  const { 'user-filter': userFilter, 'group-filter': groupFilter } = directory
  const faults: string[] = []
  if (!directory['start-tls'] && directory.urls.some((url) => url.startsWith('ldap://')))
    faults.push('passwords are not sent in the clear: use ldaps:// or set start-tls')
  if ((directory['bind-dn'] === '') !== (directory['bind-password-file'] === ''))
    faults.push('bind-dn and bind-password-file are given together or not at all')
  if (userFilter !== '' && !userFilter.includes('{user}')) faults.push('user-filter has no {user}')
  if (groupFilter !== '' && !/\{(dn|user)\}/.test(groupFilter))
    faults.push('group-filter has no {dn} and no {user}')
  return faults
}
