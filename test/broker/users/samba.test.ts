import { pino } from 'pino'
import t, { type Test } from 'tap'
import { Directories } from '../../../broker/users/directories.js'
import { directorySettings, personOf } from './directory-config.js'
import { AD_BASE, REALM, type SambaDomain, startSamba } from './samba.js'
import type { Arrival } from '../../../broker/users/arrivals.js'

t.setTimeout(240_000)

t.test(
  'Active Directory: LDAPS, both kinds of names, nested groups in one question, and accounts that may not log in',
  async (t) => {
    const domain = await startSamba()
    t.teardown(async () => {
      await domain.remove()
    })
    const password = 'Correct-Horse-7'
    await makePeopleAndGroups(domain, password)
    const settings = directorySettings({
      type: 'active-directory',
      urls: ['ldaps://127.0.0.1:1', domain.url],
      base: AD_BASE,
      'ca-file': domain.ca,
      'bind-dn': `Administrator@${REALM}`,
      'bind-password-file': domain.passwordFile,
      'display-name': 'givenName',
      roles: {
        Desktops: ['staff'],
        [`CN=Building,CN=Users,${AD_BASE.toUpperCase()}`]: ['building'],
        'domain admins': ['admin'],
      },
    })
    const directories = new Directories([settings], pino({ level: 'silent' }))
    const login = async (...words: Parameters<Directories['login']>) =>
      personOf(await directories.login(...words))
    await whoGetsIn(t, login, password)
    const base = AD_BASE.split(',').map((part) => `DC=${part.slice('DC='.length).toLowerCase()}`)
    t.match(await directories.test('corp', `alice@${REALM}`, password), {
      good: true,
      name: 'alice',
      dn: `CN=alice,CN=Users,${base.join(',')}`,
      roles: ['building', 'staff'],
      steps: [{ step: 'connect' }, { step: 'bind' }, {}, {}, {}, { said: /3 groups/ }, {}],
    })
    t.match(await directories.test('corp', 'carol', password), {
      good: false,
      steps: [{}, {}, {}, {}, { said: /refused \(533\).*disabled/ }],
    })
    await refusedWithTheReason(t, domain, password, directories)
    t.match(
      personOf(
        await new Directories(
          [{ ...settings, 'nested-groups': 'walk' }],
          pino({ level: 'silent' }),
        ).login('alice', password, null),
      )?.roles,
      ['building', 'staff'],
      'walking finds the same',
    )
  },
)

async function makePeopleAndGroups(domain: SambaDomain, password: string): Promise<void> {
  for (const user of ['alice', 'bob', 'carol'])
    await domain.tool('user', 'create', user, password, `--given-name=${user}`)
  for (const group of ['Desktops', 'Floor 2', 'Building']) await domain.tool('group', 'add', group)
  await domain.tool('group', 'addmembers', 'Floor 2', 'alice')
  await domain.tool('group', 'addmembers', 'Building', 'Floor 2')
  await domain.tool('group', 'addmembers', 'Desktops', 'Building')
  await domain.tool('user', 'disable', 'carol')
}

async function whoGetsIn(
  t: Test,
  login: (user: string, password: string, only: string | null) => Promise<Arrival | null>,
  password: string,
): Promise<void> {
  const alice = {
    source: 'corp',
    name: 'alice',
    displayName: 'alice',
    roles: ['building', 'staff'],
  }
  for (const name of ['alice', 'ALICE', `alice@${REALM}`, `Alice@${REALM.toUpperCase()}`])
    t.match(await login(name, password, null), alice, name)
  t.match(await login('bob', password, null), { name: 'bob', roles: [] })
  t.match(
    await login(`Administrator@${REALM}`, 'Passw0rd-of-the-administrator', null),
    null,
    "Samba's administrator has no userPrincipalName",
  )
  t.match(await login('Administrator', 'Passw0rd-of-the-administrator', null), {
    roles: ['admin'],
  })
  for (const [name, given] of [
    ['alice', 'wrong'],
    ['alice', ''],
    ['carol', password],
    ['nobody', password],
    ['*', password],
    ['alice*', password],
    ['AD\\alice', password],
  ] as const)
    t.equal(await login(name, given, null), null, `${name} ${given}`)
}

async function refusedWithTheReason(
  t: Test,
  domain: SambaDomain,
  password: string,
  directories: Directories,
): Promise<void> {
  await domain.tool('user', 'create', 'dora', password)
  await domain.tool('user', 'setexpiry', 'dora', '--days=0')
  await domain.tool('user', 'create', 'emil', password, '--must-change-at-next-login')
  for (const [name, code] of [
    ['carol', '533'],
    ['dora', '701'],
    ['emil', '773'],
  ] as const) {
    t.match(
      await directories.login(name, password, null),
      { kind: 'refused', name, state: { code, proven: true } },
      name,
    )
    t.match(await directories.login(name, 'wrong', null), { kind: 'wrong' }, `${name}, wrong`)
  }
}
