import t from 'tap'
import { ConfigError, parseConfig } from '../../../broker/config.js'

const DIRECTORY = { name: 'corp', urls: ['ldaps://dc1.example.org'], base: 'dc=example,dc=org' }
const PROVIDER = { name: 'oidc', issuer: 'https://login.example.org', 'client-id': 'berth' }

/** JSON is YAML. */
function faultsOf(settings: object): readonly string[] {
  try {
    parseConfig(JSON.stringify(settings), 'broker.yaml')
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
}

t.test('what is given little gets its defaults', async (t) => {
  const config = parseConfig(
    JSON.stringify({
      directories: [DIRECTORY],
      'oidc-providers': [PROVIDER],
      'trusted-proxy': { header: 'X-Remote-User', addresses: ['10.0.0.1', 'fd00::/8'] },
      'session-idle': 'PT10M',
    }),
    'broker.yaml',
  )
  t.match(config.directories[0], {
    type: 'ldap',
    'nested-groups': 'default',
    timeout: 'PT10S',
    roles: {},
  })
  t.match(config.oidcProviders[0], {
    scope: 'openid profile email',
    'name-claim': 'preferred_username',
  })
  t.match(config.trustedProxy, { 'groups-header': '' })
  t.equal(config.sessionIdleMs, 600_000)
  t.equal(parseConfig('', 'x').trustedProxy, null)
})

t.test('what is dangerous or senseless is refused', async (t) => {
  const cases: ReadonlyArray<readonly [object, RegExp]> = [
    [
      { directories: [{ ...DIRECTORY, urls: ['ldap://dc1'] }] },
      /passwords are not sent in the clear/,
    ],
    [{ directories: [{ ...DIRECTORY, urls: ['http://dc1'] }] }, /directories 0\.urls\.0/],
    [{ directories: [{ ...DIRECTORY, urls: [] }] }, /urls/],
    [{ directories: [{ ...DIRECTORY, 'bind-dn': 'cn=x' }] }, /together or not at all/],
    [{ directories: [{ ...DIRECTORY, 'user-filter': '(uid=alice)' }] }, /has no \{user\}/],
    [{ directories: [{ ...DIRECTORY, 'group-filter': '(member=x)' }] }, /has no \{dn\}/],
    [{ directories: [{ ...DIRECTORY, name: 'local' }] }, /directories 0\.name/],
    [
      { directories: [DIRECTORY], 'oidc-providers': [{ ...PROVIDER, name: 'corp' }] },
      /two are called "corp"/,
    ],
    [{ directories: [{ ...DIRECTORY, colour: 'red' }] }, /colour/],
    [{ directories: [{ ...DIRECTORY, roles: { Admins: 'admin' } }] }, /roles\.Admins/],
    [
      { directories: [{ ...DIRECTORY, roles: { Admins: ['not a role, nor two'] } }] },
      /roles\.Admins/,
    ],
    [{ 'oidc-providers': [{ ...PROVIDER, issuer: 'http://login.example.org' }] }, /issuer/],
    [
      { 'trusted-proxy': { header: 'X-User', addresses: ['everybody'] } },
      /trusted-proxy: "everybody" is not an address/,
    ],
    [{ 'trusted-proxy': { header: 'X-User', addresses: [] } }, /trusted-proxy/],
  ]
  for (const [settings, fault] of cases) {
    const faults = faultsOf(settings)
    t.match(faults.join('\n'), fault, JSON.stringify(settings))
    t.match(faults[0], /^broker\.yaml:1: /)
  }
})
