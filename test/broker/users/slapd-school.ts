import { pino } from 'pino'
import t from 'tap'
import { directorySettings } from './directory-config.js'
import { BASE, ROOT_DN, startSlapd } from './slapd.js'

const person = (uid: string, more: string): string =>
  `dn: uid=${uid},ou=people,${BASE}\nobjectClass: inetOrgPerson\nuid: ${uid}\nsn: ` +
  `x\ncn: ${uid}\nuserPassword: secret of ${uid}\n${more}\n`
const group = (cn: string, ...members: string[]): string =>
  `dn: cn=${cn},ou=groups,${BASE}\nobjectClass: ` +
  `groupOfNames\ncn: ${cn}\n${members.map((member) => `member: ${member},${BASE}`).join('\n')}\n`
const LDIF = [
  `dn: ${BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n`,
  ...['people', 'groups'].map(
    (ou) => `dn: ou=${ou},${BASE}\nobjectClass: organizationalUnit\nou: ${ou}\n`,
  ),
  person('alice', `displayName: Alice of Example\nmail: alice@example.test\n`),
  person('bob', ''),
  person('admin', 'mail: boss@example.test\n'),
  person('twin1', 'mail: twins@example.test\n'),
  person('twin2', 'mail: twins@example.test\n'),
  group('inner', 'uid=alice,ou=people'),
  group('outer', 'cn=inner,ou=groups', 'cn=circle,ou=groups'),
  group('circle', 'cn=outer,ou=groups'),
  group('others', 'uid=bob,ou=people'),
  `dn: cn=posix,ou=groups,${BASE}\nobjectClass: posixGroup\ncn: posix\ngidNumber: ` +
    `5000\nmemberUid: bob\nmemberUid: twin1\n`,
].join('\n')

export const log = pino({ level: 'silent' })
export const slapd = await startSlapd(LDIF)
t.teardown(async () => {
  await slapd.remove()
})

export function settings(more: Parameters<typeof directorySettings>[0] | object = {}) {
  return directorySettings({
    urls: [slapd.ldaps],
    base: BASE,
    'ca-file': slapd.ca,
    'bind-dn': ROOT_DN,
    'bind-password-file': slapd.passwordFile,
    'user-filter': '(|(uid={user})(mail={user}))',
    timeout: 'PT2S',
    roles: {
      inner: ['staff'],
      [`cn=outer,ou=groups,${BASE}`]: ['desk'],
      circle: ['round'],
      others: ['admin'],
    },
    ...more,
  })
}
