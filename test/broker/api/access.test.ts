import { text } from 'node:stream/consumers'
import type { InjectOptions, Response } from 'light-my-request'
import t from 'tap'
import { type Verb, VERBS } from '../../../broker/api/permissions.js'
import { ERRORS } from '../../../broker/errors/codes.js'
import { ApiClient } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { allow, addPerson } from '../../support/people.js'
import { type Needs, ROUTES, routesOf } from './routes.js'

const DEVICE = { macs: ['52:54:00:00:00:01'], hostname: 'desk', version: '1' }

/** A body that passes no schema: nobody gets further than permission and schema. */
const NONSENSE = { nonsense: true }

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

t.test('each route lets in those whom the statement names, and nobody else', async (t) => {
  const broker = await SimulatedBroker.start({ config: { thinClientNetworks: [] } })
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.addHypervisors()
  const { job } = await broker.admin.post<{ job: string }>('/machines', {
    name: 'pc-1',
    type: 'simple',
    hypervisors: ['hv1'],
    network: 'none',
  })
  await broker.admin.succeeded(job)
  await broker.admin.post('/pools', { name: 'desks', size: 0 })
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
      const refusal =
        status === 401 &&
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

/** Like inject, but of a stream that does not end only the head is waited for. */
async function ask(broker: SimulatedBroker, options: InjectOptions): Promise<Response> {
  if (options.url !== '/api/v1/live') return await broker.broker.app.inject(options)
  const answer = await broker.broker.app.inject({ ...options, payloadAsStream: true })
  const stream = answer.stream()
  if (answer.statusCode === 200) {
    stream.destroy()
    return Object.assign(answer, { body: '' })
  }
  const body = await text(stream)
  return Object.assign(answer, { body, json: () => JSON.parse(body) as never })
}

interface Somebody {
  readonly name: string
  readonly client: ApiClient
  readonly headers?: Record<string, string>
  readonly known: boolean
  readonly narrow?: boolean
  readonly reads: boolean
  readonly all: boolean
  readonly verbs: readonly Verb[]
}

/** Nobody, people with every single permission on pc-1, the site roles, and tokens with every single scope. */
async function everybody(broker: SimulatedBroker): Promise<Somebody[]> {
  const plain = { known: true, reads: false, all: false, verbs: [] }
  const people: Somebody[] = [
    { ...plain, name: 'nobody', client: broker.anybody, known: false },
    {
      ...plain,
      name: 'a wrong token',
      client: new ApiClient(broker.url, broker.ca, 'berth_wrong'),
      known: false,
    },
    {
      ...plain,
      name: 'a device key',
      client: broker.anybody,
      headers: { authorization: `Device ${'ab'.repeat(32)}` },
      known: false,
    },
    { ...plain, name: 'a person without grants', client: await addPerson(broker, 'stranger') },
    {
      ...plain,
      name: 'one with another role',
      client: await addPerson(broker, 'staff', { roles: ['staff', 'administrators'] }),
    },
    {
      ...plain,
      name: 'an observer',
      client: await addPerson(broker, 'watcher', { roles: ['observer'] }),
      reads: true,
    },
    {
      ...plain,
      name: 'an administrator',
      client: await addPerson(broker, 'root', { roles: ['admin'] }),
      reads: true,
      all: true,
    },
  ]
  for (const verb of VERBS) {
    const every = verb === 'admin' || verb === '*'
    const verbs = every
      ? VERBS
      : verb === 'takeConsole'
        ? (['takeConsole', 'accessConsole'] as const)
        : [verb]
    const name = `one with ${verb}`
    people.push({ ...plain, name, client: await addPerson(broker, name), verbs })
    await allow(broker, name, [verb], 'pc-1')
    await allow(broker, name, [verb], 'desks', 'pool')
    people.push({
      ...plain,
      name: `an administrator's token for ${verb}`,
      client: await addPerson(broker, 'root', { scopes: [verb] }),
      verbs,
      reads: verb === 'admin',
      all: verb === 'admin',
      narrow: verb !== 'admin',
    })
    people.push({
      ...plain,
      name: `a token for ${verb} of one who may only start`,
      client: await addPerson(broker, 'one with start', { scopes: [verb] }),
      verbs: every || verb === 'start' ? ['start'] : [],
      narrow: verb !== 'admin',
    })
  }
  people.push({
    ...plain,
    name: "an administrator's token to observe",
    client: await addPerson(broker, 'root', { scopes: ['observe'] }),
    reads: true,
    narrow: true,
  })
  return people
}

/** The pool or machine that the people have permissions on, where a permission counts. */
function nameFor(needs: Needs): string {
  return !needs.includes(':') ? 'nowhere' : needs.includes('pool') ? 'desks' : 'pc-1'
}

/** 401: not known; 403: known, and not allowed; 404: must not learn of it. */
function outcome(needs: Needs, who: Somebody): 401 | 403 | 404 | 'in' {
  if (needs === 'public' || needs === 'device') return 'in'
  if (!who.known) return 401
  if (needs === 'person') return who.narrow === true ? 403 : 'in'
  if (needs === 'user' || who.all) return 'in'
  if (needs === 'admin') return 403
  if (needs === 'observer') return who.reads ? 'in' : 403
  const [kind, wanted = ''] = needs.split(':')
  if (!who.reads && who.verbs.length === 0) return 404
  return kind === 'sees' ||
    wanted.split('+').some((verb) => who.verbs.some((mine) => mine === verb))
    ? 'in'
    : 403
}

t.test(
  'each power action needs its own permission, and all machines made from one need an administrator',
  async (t) => {
    const broker = await SimulatedBroker.start()
    t.teardown(async () => {
      await broker.remove()
    })
    await broker.addHypervisors()
    await broker.admin.succeeded(
      (
        await broker.admin.post<{ job: string }>('/machines', {
          name: 'pc-1',
          type: 'simple',
          hypervisors: ['hv1'],
          network: 'none',
        })
      ).job,
    )
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
    const whole = await addPerson(broker, 'delegate')
    await allow(broker, 'delegate', ['admin'], 'pc-1')
    t.match(await whole.raw('PUT', '/api/v1/machines/pc-1/maintenance', { on: true }), {
      status: 200,
    })
    t.match(
      await whole.raw('PUT', '/api/v1/machines/pc-1/maintenance', { on: true, children: true }),
      { status: 403 },
    )
  },
)

t.test('what one may not see answers as what does not exist', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.addHypervisors()
  for (const name of ['pc-1', 'pc-2'])
    await broker.admin.succeeded(
      (
        await broker.admin.post<{ job: string }>('/machines', {
          name,
          type: 'simple',
          hypervisors: ['hv1'],
          network: 'none',
        })
      ).job,
    )
  await broker.admin.post('/pools', { name: 'desks', size: 0 })
  const alice = await addPerson(broker, 'alice')
  await allow(broker, 'alice', ['start'], 'pc-1')
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
  t.same(
    (await alice.raw('GET', '/api/v1/machines?parent=pc-2')).text
      .replaceAll('pc-2', 'NAME')
      .replace(/"requestId":"[^"]*"/, ''),
    (await alice.raw('GET', '/api/v1/machines?parent=pc-9')).text
      .replaceAll('pc-9', 'NAME')
      .replace(/"requestId":"[^"]*"/, ''),
  )
  t.same(await alice.get('/jobs'), { jobs: [] })
  const [{ id = '' } = {}] = await broker.rows<{ id: string }>('SELECT id FROM job')
  t.match(await alice.raw('GET', `/api/v1/jobs/${id}`), { status: 404 })
  t.match(await alice.raw('GET', `/api/v1/jobs/${id}/events`), { status: 404 })
})

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

t.test('the line for a new host holds nothing of a forged Host header', async (t) => {
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
