import t from 'tap'
import { type Verb, VERBS } from '../../../broker/api/permissions.js'
import {
  type GrantOn,
  siteRole,
  type ObjectOfGrants,
  type Person,
  seesIt,
  verbsOn,
} from '../../../broker/users/verbs.js'

const ALICE: Person = { key: 'alice', accountRole: 'user', roles: ['staff'], scopes: null }
const machine = (more: Partial<ObjectOfGrants> = {}): ObjectOfGrants => ({
  kind: 'machine',
  id: 'm1',
  name: 'pc-1',
  pools: [],
  holder: null,
  ...more,
})
const POOL: ObjectOfGrants = { kind: 'pool', id: 'p1', name: 'pool', pools: [], holder: null }
const grant = (
  objectKind: 'pool' | 'machine',
  objectId: string,
  subject: string,
  ...verbs: Verb[]
): GrantOn => {
  const [subjectKind = 'user', name = ''] = subject.split(':') as ['user' | 'role', string]
  return { objectKind, objectId, subjectKind, subject: name, verbs }
}
const held = (
  pool: string | null,
  byAdministrator = false,
  user = 'alice',
): Partial<ObjectOfGrants> => ({ pools: ['p1', 'p2'], holder: { user, pool, byAdministrator } })
const BY_HAND = ['accessConsole', 'release', 'reset', 'start', 'stop']

const CASES: ReadonlyArray<
  readonly [
    what: string,
    person: Partial<Person>,
    object: ObjectOfGrants,
    grants: readonly GrantOn[],
    verbs: readonly string[],
  ]
> = [
  ['no grant: nothing', {}, machine(), [], []],
  [
    'a grant to the person',
    {},
    machine(),
    [grant('machine', 'm1', 'user:alice', 'start')],
    ['start'],
  ],
  ['a grant to another', {}, machine(), [grant('machine', 'm1', 'user:bob', 'start')], []],
  [
    'a grant on another machine',
    {},
    machine(),
    [grant('machine', 'm2', 'user:alice', 'start')],
    [],
  ],
  [
    'a grant to a role of his',
    {},
    machine(),
    [grant('machine', 'm1', 'role:staff', 'stop')],
    ['stop'],
  ],
  [
    'a grant to a role that he has not',
    {},
    machine(),
    [grant('machine', 'm1', 'role:other', 'stop')],
    [],
  ],
  [
    'a grant to everybody',
    { roles: [] },
    machine(),
    [grant('machine', 'm1', 'role:user', 'stop')],
    ['stop'],
  ],
  [
    'a role of his name is not he',
    { roles: [] },
    machine(),
    [grant('machine', 'm1', 'role:alice', 'stop')],
    [],
  ],
  [
    "a person of his role's name is not he",
    {},
    machine(),
    [grant('machine', 'm1', 'user:staff', 'stop')],
    [],
  ],
  [
    'the union of all that match',
    {},
    machine(),
    [
      grant('machine', 'm1', 'user:alice', 'start'),
      grant('machine', 'm1', 'role:staff', 'stop'),
      grant('machine', 'm1', 'role:user', 'reset'),
    ],
    ['reset', 'start', 'stop'],
  ],
  [
    'takeConsole implies accessConsole',
    {},
    machine(),
    [grant('machine', 'm1', 'user:alice', 'takeConsole')],
    ['accessConsole', 'takeConsole'],
  ],
  [
    '* is every verb',
    {},
    machine(),
    [grant('machine', 'm1', 'user:alice', '*')],
    [...VERBS].sort(),
  ],
  [
    'admin is every verb',
    {},
    machine(),
    [grant('machine', 'm1', 'user:alice', 'admin')],
    [...VERBS].sort(),
  ],
  [
    "a pool governs: the machine's own grants do not count",
    {},
    machine({ pools: ['p1'] }),
    [grant('machine', 'm1', 'user:alice', '*')],
    [],
  ],
  [
    'a member that nobody holds',
    {},
    machine({ pools: ['p1'] }),
    [grant('pool', 'p1', 'user:alice', 'start', 'accessConsole')],
    [],
  ],
  [
    'a member that he holds through the pool',
    {},
    machine(held('p1')),
    [grant('pool', 'p1', 'user:alice', 'start', 'accessConsole')],
    ['accessConsole', 'start'],
  ],
  [
    'a member that he holds through another pool',
    {},
    machine(held('p2')),
    [grant('pool', 'p1', 'user:alice', 'start', 'accessConsole')],
    [],
  ],
  [
    'a member that another holds',
    {},
    machine(held('p1', false, 'bob')),
    [grant('pool', 'p1', 'user:alice', 'start', 'accessConsole')],
    [],
  ],
  [
    'a grant on a pool that it is no member of',
    {},
    machine({ pools: ['p2'], holder: { user: 'alice', pool: 'p1', byAdministrator: false } }),
    [grant('pool', 'p1', 'user:alice', 'start')],
    [],
  ],
  [
    'takeConsole on the pool counts for every member, and nothing beside it',
    {},
    machine(held('p1', false, 'bob')),
    [grant('pool', 'p1', 'role:staff', 'takeConsole', 'start')],
    ['accessConsole', 'takeConsole'],
  ],
  [
    'assign on the pool counts for every member',
    {},
    machine({ pools: ['p1'] }),
    [grant('pool', 'p1', 'role:staff', 'assign', 'accessConsole')],
    ['assign'],
  ],
  [
    'admin on the pool is every verb on every member',
    {},
    machine({ pools: ['p1'] }),
    [grant('pool', 'p1', 'role:staff', 'admin')],
    [...VERBS].sort(),
  ],
  [
    '* on the pool is every verb on every member',
    {},
    machine({ pools: ['p1'] }),
    [grant('pool', 'p1', 'role:staff', '*')],
    [...VERBS].sort(),
  ],
  [
    'two pools: the union',
    {},
    machine(held('p1')),
    [grant('pool', 'p1', 'user:alice', 'start'), grant('pool', 'p2', 'user:alice', 'takeConsole')],
    ['accessConsole', 'start', 'takeConsole'],
  ],
  ['assigned by hand', {}, machine(held(null, true)), [], BY_HAND],
  [
    'assigned by hand, in no pool',
    {},
    machine({ holder: { user: 'alice', pool: null, byAdministrator: true } }),
    [],
    BY_HAND,
  ],
  ['assigned by hand to another', {}, machine(held(null, true, 'bob')), [], []],
  [
    'on a pool: its grants',
    {},
    POOL,
    [
      grant('pool', 'p1', 'user:alice', 'start', 'accessConsole'),
      grant('pool', 'p2', 'user:alice', '*'),
    ],
    ['accessConsole', 'start'],
  ],
  ['an administrator', { accountRole: 'admin' }, machine({ pools: ['p1'] }), [], [...VERBS].sort()],
  ['an observer does nothing', { accountRole: 'observer' }, machine(), [], []],
  [
    'an observer with a grant',
    { accountRole: 'observer' },
    machine(),
    [grant('machine', 'm1', 'user:alice', 'start')],
    ['start'],
  ],
  [
    'a token: what both have',
    { scopes: ['start', 'stop'] },
    machine(),
    [grant('machine', 'm1', 'user:alice', 'start', 'reset')],
    ['start'],
  ],
  [
    'a token of an administrator',
    { accountRole: 'admin', scopes: ['start'] },
    machine(),
    [],
    ['start'],
  ],
  [
    'a token to take consoles',
    { accountRole: 'admin', scopes: ['takeConsole'] },
    machine(),
    [],
    ['accessConsole', 'takeConsole'],
  ],
  ['a token to observe', { accountRole: 'admin', scopes: ['observe'] }, machine(), [], []],
  [
    'a token for everything adds nothing',
    { scopes: ['admin', '*'] },
    machine(),
    [grant('machine', 'm1', 'user:alice', 'start')],
    ['start'],
  ],
]

t.test('what a person may do', async (t) => {
  for (const [what, person, object, grants, verbs] of CASES)
    t.same([...verbsOn({ ...ALICE, ...person }, object, grants)].sort(), verbs, what)
})

t.test('who sees it', async (t) => {
  const start = [grant('machine', 'm1', 'user:alice', 'start')]
  const cases: ReadonlyArray<readonly [string, Partial<Person>, readonly GrantOn[], boolean]> = [
    ['nobody without a verb', {}, [], false],
    ['one verb is enough', {}, start, true],
    ['an observer', { accountRole: 'observer' }, [], true],
    ['an administrator', { accountRole: 'admin' }, [], true],
    ['a token for another verb', { scopes: ['stop'] }, start, false],
    ['a token to observe', { scopes: ['observe'] }, start, true],
    ['a token to observe what he may not', { scopes: ['observe'] }, [], false],
    ["an observer's token for a verb", { accountRole: 'observer', scopes: ['stop'] }, [], false],
    ["an administrator's token for a verb", { accountRole: 'admin', scopes: ['stop'] }, [], true],
  ]
  for (const [what, person, grants, sees] of cases)
    t.equal(seesIt({ ...ALICE, ...person }, machine(), grants), sees, what)
})

t.test('the site role of a token', async (t) => {
  const cases: ReadonlyArray<readonly [Pick<Person, 'accountRole' | 'scopes'>, string]> = [
    [{ accountRole: 'admin', scopes: null }, 'admin'],
    [{ accountRole: 'admin', scopes: ['admin'] }, 'admin'],
    [{ accountRole: 'admin', scopes: ['observe'] }, 'observer'],
    [{ accountRole: 'admin', scopes: ['*'] }, 'user'],
    [{ accountRole: 'observer', scopes: ['admin'] }, 'observer'],
    [{ accountRole: 'observer', scopes: ['start'] }, 'user'],
    [{ accountRole: 'user', scopes: ['admin', 'observe'] }, 'user'],
  ]
  for (const [person, role] of cases) t.equal(siteRole(person), role, JSON.stringify(person))
})
