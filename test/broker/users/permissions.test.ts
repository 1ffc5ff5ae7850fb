import t, { type Test } from 'tap'
import { ApiClient } from '../../support/api-client.js'
import { addPerson, allow } from '../../support/people.js'
import { logIn, PASSWORD, started } from './logged-in.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'

t.test('tokens with scopes, and what they make', async (t) => {
  const broker = await started(t)
  await broker.admin.post('/users', { name: 'frank', password: PASSWORD, roles: ['observer'] })
  const frank = await logIn(broker, 'frank')
  const made = async (by: ApiClient, name: string, more: object): Promise<ApiClient> =>
    new ApiClient(
      broker.url,
      broker.ca,
      (await by.post<{ token: string }>('/tokens', { name, ...more })).token,
    )
  const observe = await made(frank, 'observe', { scopes: ['observe', 'start'], validForMs: 60_000 })
  t.match(await observe.get('/whoami'), { scopes: ['observe', 'start'], role: 'observer' })
  await t.rejects(made(observe, 'more', { scopes: ['stop'] }), { code: 'forbidden' })
  const child = await made(observe, 'child', {})
  const [parent, made2] = await Promise.all(
    ['observe', 'child'].map(
      async (name) =>
        (
          await broker.rows<{ expires_at: number | null; scopes: string }>(
            'SELECT * FROM token WHERE name = ?',
            name,
          )
        )[0],
    ),
  )
  t.same(made2?.scopes, 'observe,start', 'a token of a token has its scopes')
  t.equal(made2?.expires_at, parent?.expires_at, 'and does not outlive it')
  t.match(
    await child.raw('POST', '/api/v1/password', { oldPassword: PASSWORD, newPassword: PASSWORD }),
    { status: 403 },
  )
  t.match(
    await child.raw('DELETE', '/api/v1/tokens/observe'),
    { status: 404 },
    'it revokes only itself',
  )
  await child.delete('/tokens/child')
  await broker.admin.patch('/users/frank', { roles: [] })
  t.match(await observe.get('/whoami'), { role: 'user' }, 'never more than its account may now')
  t.match(await observe.raw('GET', '/api/v1/hypervisors'), { status: 403 })
})

t.test("grants by name, and a person's permissions with their reasons", async (t) => {
  const broker = await started(t)
  await makeGrants(broker)
  t.match(await broker.admin.get('/grants?subject=gina@example.org'), {
    grants: [
      {
        kind: 'machine',
        object: 'pc-1',
        subject: 'Gina@Example.org',
        verbs: ['start', 'takeConsole'],
      },
    ],
  })
  const gina = await addPerson(broker, 'gina@example.org', { roles: ['staff'] })
  const explained = {
    objects: [
      {
        kind: 'pool',
        object: 'desks',
        verbs: ['start'],
        because: ['A grant to the role staff on this pool: start.'],
      },
      { kind: 'machine', object: 'pc-1', verbs: ['start', 'accessConsole', 'takeConsole'] },
    ],
  }
  t.match(await broker.admin.get('/users/GINA@example.org/permissions'), {
    name: 'gina@example.org',
    ...explained,
  })
  t.match(await gina.get('/whoami/permissions'), explained)
  t.match(await broker.admin.get('/roles'), {
    roles: [
      { role: 'admin', users: 1 },
      { role: 'observer' },
      { role: 'staff', users: 1, grants: 1 },
      { role: 'user' },
    ],
  })
  await whatIsNotThereIsRefused(t, broker)
})

async function makeGrants(broker: SimulatedBroker): Promise<void> {
  await broker.addHypervisors()
  await broker.admin.done('/machines', {
    name: 'pc-1',
    type: 'simple',
    hypervisors: ['hv1'],
    network: 'none',
  })
  await broker.admin.post('/pools', { name: 'desks', size: 0 })
  await allow(broker, 'Gina@Example.org', ['takeConsole', 'start'], 'PC-1')
  await broker.admin.put('/grants', {
    kind: 'pool',
    object: 'desks',
    subjectKind: 'role',
    subject: 'staff',
    verbs: ['start'],
  })
}

async function whatIsNotThereIsRefused(t: Test, broker: SimulatedBroker): Promise<void> {
  t.match(
    await broker.admin.raw('PUT', '/api/v1/grants', {
      kind: 'machine',
      object: 'pc-9',
      subjectKind: 'user',
      subject: 'x',
      verbs: ['start'],
    }),
    { status: 404 },
  )
  t.match(
    await broker.admin.raw('PUT', '/api/v1/grants', {
      kind: 'machine',
      object: 'pc-1',
      subjectKind: 'role',
      subject: 'not/a,role',
      verbs: ['start'],
    }),
    { status: 400 },
  )
  await broker.admin.delete('/grants?kind=pool&object=desks&subjectKind=role&subject=staff')
  t.match(
    await broker.admin.raw(
      'DELETE',
      '/api/v1/grants?kind=pool&object=desks&subjectKind=role&subject=staff',
    ),
    { status: 404 },
  )
  await broker.admin.delete('/users/gina@example.org')
  t.same(
    await broker.rows("SELECT * FROM permission_grant WHERE subject_kind = 'user'"),
    [],
    'grants of a person go with the account',
  )
  t.match((await broker.rows("SELECT detail FROM event WHERE action = 'grant.remove'"))[0], {
    detail: /"before":\["start"\],"after":\[\]/,
  })
}
