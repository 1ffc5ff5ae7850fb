import t, { type Test } from 'tap'
import { type Verb } from '../../../broker/api/permissions.js'
import { ERRORS } from '../../../broker/errors/codes.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { addPerson, allow } from '../../support/people.js'
import { ROUTES, routesOf } from './routes.js'
import { ask, DEVICE, everybody, nameFor, NONSENSE, outcome } from './everybody.js'
import type { ApiClient } from '../../support/api-client.js'

t.test('every route has one line in the table', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  t.same(
    routesOf(broker.broker.app.printRoutes({ commonPrefix: false })),
    ROUTES.map(([method, path]) => `${method} ${path}`).sort(),
  )
})

t.test('each route serves those whom the statement names, and nobody else', async (t) => {
  const broker = await SimulatedBroker.start({ config: { thinClientNetworks: [] } })
  t.teardown(async () => {
    await broker.remove()
  })
  await makeMachineAndPool(broker)
  const callers = await everybody(broker)
  for (const [method, path, needs] of ROUTES) {
    for (const caller of callers) {
      const body = path.endsWith('/ask')
        ? DEVICE
        : method === 'GET' || method === 'DELETE'
          ? undefined
          : NONSENSE
      const answer = await ask(broker, {
        method,
        url: path
          .replace(':name', nameFor(needs))
          .replace(/:id|:machine|:provider|:file/, 'nowhere'),
        ...(body === undefined ? {} : { payload: body }),
        headers:
          caller.headers ??
          (caller.client.token === null ? {} : { authorization: `Bearer ${caller.client.token}` }),
      })
      const status = answer.statusCode
      const { code = '', message = '' } =
        /^application\/json\b/.test(String(answer.headers['content-type'])) && answer.body !== ''
          ? answer.json()
          : {}
      const refusal = kindOf(status, code, needs, path, message)
      const wanted = outcome(needs, caller)
      if (refusal !== wanted)
        t.fail(`${method} ${path} by ${caller.name}: ${status} ${code}, and not ${wanted}`)
      if (status >= 500) t.fail(`${method} ${path}: ${status}`)
      if (status >= 400 && !(code in ERRORS))
        t.fail(`${method} ${path}: the code ${code} is not in the table`)
    }
  }
  t.pass(`${ROUTES.length} routes, ${callers.length} callers`)
})

async function makeMachineAndPool(broker: SimulatedBroker): Promise<void> {
  await broker.addHypervisors()
  await broker.admin.done('/machines', {
    name: 'pc-1',
    type: 'simple',
    hypervisors: ['hv1'],
    network: 'none',
  })
  await broker.admin.post('/pools', { name: 'desks', size: 0 })
}

function kindOf(status: number, code: string, needs: string, path: string, message: string) {
  return status === 401 &&
    code === 'unauthenticated' &&
    !/login|\/session$/.test(needs === 'public' ? path : '')
    ? 401
    : status === 403 && code === 'forbidden'
      ? 403
      : status === 404 &&
          needs.includes(':') &&
          /^There is no (machine pc-1|pool desks):/.test(message)
        ? 404
        : 'in'
}

t.test(
  'each power action needs its own permission, and all machines made from one need an administrator',
  async (t) => {
    const broker = await SimulatedBroker.start()
    t.teardown(async () => {
      await broker.remove()
    })
    await broker.addHypervisors()
    await broker.admin.done('/machines', {
      name: 'pc-1',
      type: 'simple',
      hypervisors: ['hv1'],
      network: 'none',
    })
    const needs: Readonly<Record<string, Verb>> = {
      start: 'start',
      shutdown: 'stop',
      poweroff: 'stop',
      reboot: 'reset',
      reset: 'reset',
    }
    for (const verb of ['start', 'stop', 'reset', 'accessConsole'] as const) {
      const person = await addPerson(broker, verb)
      await allow(broker, verb, [verb], 'pc-1')
      for (const [action, needed] of Object.entries(needs)) {
        const answer = await person.raw('POST', '/api/v1/machines/pc-1/power', { action })
        if (needed !== verb)
          t.match(answer, { status: 403, body: { code: 'forbidden' } }, `${verb} ${action}`)
        else {
          t.match(answer, { status: 202 }, `${verb} ${action}`)
          const { job } = answer.body as { job: string }
          t.match(await person.ended(job), { createdBy: verb }, 'and one follows it')
        }
        t.match(
          await person.raw('POST', '/api/v1/machines/pc-1/power', { action, children: true }),
          { status: 403 },
          `${verb} ${action} of children`,
        )
      }
    }
    await delegateActsOnOneOnly(t, broker)
  },
)

async function delegateActsOnOneOnly(t: Test, broker: SimulatedBroker): Promise<void> {
  const whole = await addPerson(broker, 'delegate')
  await allow(broker, 'delegate', ['admin'], 'pc-1')
  t.match(await whole.raw('PUT', '/api/v1/machines/pc-1/maintenance', { on: true }), {
    status: 200,
  })
  t.match(
    await whole.raw('PUT', '/api/v1/machines/pc-1/maintenance', { on: true, children: true }),
    { status: 403 },
  )
}

t.test('what one may not see answers as what does not exist', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  const alice = await aliceWithOneOfTwo(broker)
  for (const [method, path, needs] of ROUTES) {
    if (!needs.includes(':')) continue
    const [there, nowhere] = needs.includes('pool') ? ['desks', 'dusks'] : ['pc-2', 'pc-9']
    const [hidden, none] = await Promise.all(
      [there, nowhere].map(
        async (name) =>
          await alice.raw(
            method,
            path.replace(':name', name),
            method === 'GET' ? undefined : '{ not json',
          ),
      ),
    )
    t.equal(hidden?.status, 404, `${method} ${path}`)
    t.same(
      sameWords(hidden?.text ?? '', there),
      sameWords(none?.text ?? '', nowhere),
      `${method} ${path}`,
    )
    t.same(withoutDate(hidden?.headers ?? {}), withoutDate(none?.headers ?? {}))
  }
  t.match(
    (await alice.get<{ machines: Array<{ name: string }> }>('/machines')).machines.map(
      ({ name }) => name,
    ),
    ['pc-1'],
  )
  await filterTellsNothing(t, alice)
  t.same(await alice.get('/jobs'), { jobs: [] })
  const [{ id = '' } = {}] = await broker.rows<{ id: string }>('SELECT id FROM job')
  t.match(await alice.raw('GET', `/api/v1/jobs/${id}`), { status: 404 })
  t.match(await alice.raw('GET', `/api/v1/jobs/${id}/events`), { status: 404 })
})

async function aliceWithOneOfTwo(broker: SimulatedBroker) {
  await broker.addHypervisors()
  for (const name of ['pc-1', 'pc-2'])
    await broker.admin.done('/machines', {
      name,
      type: 'simple',
      hypervisors: ['hv1'],
      network: 'none',
    })
  await broker.admin.post('/pools', { name: 'desks', size: 0 })
  const alice = await addPerson(broker, 'alice')
  await allow(broker, 'alice', ['start'], 'pc-1')
  return alice
}

async function filterTellsNothing(t: Test, alice: ApiClient): Promise<void> {
  t.same(
    (await alice.raw('GET', '/api/v1/machines?parent=pc-2')).text
      .replaceAll('pc-2', 'NAME')
      .replace(/"requestId":"[^"]*"/, ''),
    (await alice.raw('GET', '/api/v1/machines?parent=pc-9')).text
      .replaceAll('pc-9', 'NAME')
      .replace(/"requestId":"[^"]*"/, ''),
  )
}

function sameWords(text: string, name: string): string {
  return text.replaceAll(name, 'NAME').replace(/"requestId":"[^"]*"/, '')
}
function withoutDate(headers: Record<string, unknown>): Record<string, unknown> {
  return { ...headers, date: '' }
}

t.test('permission comes before the body, and before any effect', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.addHypervisors()
  const events = async (): Promise<number> => (await broker.rows('SELECT id FROM event')).length
  const before = await events()
  t.match(
    await broker.anybody.raw('POST', '/api/v1/machines', {
      name: 'pc',
      type: 'simple',
      hypervisors: ['hv1'],
    }),
    { status: 401 },
  )
  t.match(await broker.anybody.raw('POST', '/api/v1/machines', '{ not json'), { status: 401 })
  t.equal(await events(), before)
  t.same(await broker.rows('SELECT * FROM machine'), [])
})

t.test('the install line for a new host holds nothing of a forged Host header', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.addHypervisors()
  for (const host of ['$(reboot)', 'evil.example;reboot', "a'b", '`id`']) {
    const { statusCode, body } = await broker.broker.app.inject({
      url: '/api/v1/hypervisors/hv1/install-line',
      headers: { host, authorization: `Bearer ${broker.token}` },
    })
    t.notOk(body.includes(host), `${host}: ${statusCode} ${body}`)
  }
  t.match(await broker.admin.get<{ installLine: string }>('/hypervisors/hv1/install-line'), {
    installLine: new RegExp(`https://127\\.0\\.0\\.1:${broker.broker.port}/install`),
  })
})
