import { request } from 'node:https'
import t from 'tap'
import { ERRORS } from '../../../broker/errors/codes.js'
import type { RawAnswer } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { ROUTES } from './routes.js'

t.setTimeout(360_000)

const NAMES: ReadonlyArray<[string, string]> = [
  ['a space', 'pc 1'],
  ['a quote', 'pc"1'],
  ['an apostrophe', "pc'1"],
  ['a command', '$(reboot)'],
  ['a backtick', '`id`'],
  ['a way up', '../../etc/passwd'],
  ['dots', '..'],
  ['300 characters', 'a'.repeat(300)],
  ['unicode', 'büro'],
  ['an emoji', '🖥'],
  ['a right-to-left mark', 'pc\u202e1'],
  ['NUL', 'pc\u00001'],
  ['a line break', 'pc\n1'],
  ['a semicolon', 'pc;1'],
  ['a percent sign', 'pc%1'],
  ['nothing', ''],
  ['an option', '--force'],
]
const VALUES: readonly unknown[] = [
  null,
  7,
  -1,
  1e309,
  true,
  [],
  {},
  [[]],
  '',
  'x'.repeat(3_000),
  '\u0000',
  { __proto__: null, constructor: 1 },
]

/** A body that is accepted, for each route that takes one; each field is then spoiled in turn. */
const BODIES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'POST /api/v1/tokens': { name: 'ci', scopes: ['observe'], validForMs: 5_000 },
  'POST /api/v1/session': { name: 'alice', password: 'x' },
  'POST /api/v1/users': {
    name: 'alice',
    password: 'a long password',
    displayName: 'Alice',
    roles: ['staff'],
  },
  'PATCH /api/v1/users/:name': { disabled: true },
  'POST /api/v1/users/:name/password': { newPassword: 'a long password' },
  'POST /api/v1/directories/:name/test': { user: 'alice', password: 'x' },
  'POST /api/v1/events/verify': { head: '0'.repeat(64) },
  'PUT /api/v1/grants': {
    kind: 'machine',
    object: 'pc',
    subjectKind: 'user',
    subject: 'alice',
    verbs: ['start'],
  },
  'POST /api/v1/hypervisors': {
    name: 'hv9',
    address: '10.0.0.9',
    fingerprint: `SHA256:${'A'.repeat(43)}`,
    maxStarts: 2,
    directories: { images: '/a' },
  },
  'POST /api/v1/hypervisors/scan': { address: '127.0.0.1', port: 1 },
  'PATCH /api/v1/hypervisors/:name': { maxStarts: 2 },
  'POST /api/v1/hypervisors/:name/trust': { fingerprint: `SHA256:${'A'.repeat(43)}` },
  'PUT /api/v1/hypervisors/:name/maintenance': { on: true, reason: 'x' },
  'POST /api/v1/machines': {
    name: 'pc-1',
    type: 'simple',
    hypervisors: ['hv1'],
    count: 1,
    memoryMib: 64,
    network: 'none',
    diskGib: 1,
    domainXml: '<domain/>',
  },
  'POST /api/v1/machines/adopt': { hypervisor: 'hv1', name: 'other' },
  'PATCH /api/v1/machines/:name': { vcpus: 1 },
  'POST /api/v1/machines/:name/power': { action: 'start', timeoutMs: 0 },
  'PUT /api/v1/machines/:name/maintenance': { on: true, reason: 'x', children: false },
  'PUT /api/v1/machines/:name/discard-changes': { on: true },
  'POST /api/v1/machines/:name/copy': { source: 'src' },
  'POST /api/v1/machines/:name/populate': { generation: 'g1', force: false },
  'POST /api/v1/machines/:name/import': { path: '/srv/x.qcow2' },
  'POST /api/v1/machines/:name/console': { take: false, via: 'auto' },
  'POST /api/v1/thin-clients/ask': {
    macs: ['52:54:00:00:00:01'],
    hostname: 'desk',
    version: '1',
    waitMs: 0,
  },
  'POST /api/v1/thin-clients/report': { macs: ['52:54:00:00:00:01'], showing: null },
  'POST /api/v1/thin-clients/login': { macs: ['52:54:00:00:00:01'], name: 'alice', password: 'x' },
  'POST /api/v1/thin-clients/login/provider': { macs: ['52:54:00:00:00:01'], provider: 'corp' },
  'POST /api/v1/thin-clients/login/provider/poll': { macs: ['52:54:00:00:00:01'], handle: 'x' },
  'POST /api/v1/thin-clients/choose': { macs: ['52:54:00:00:00:01'], pool: 'office' },
  'POST /api/v1/thin-clients/logout': { macs: ['52:54:00:00:00:01'] },
  'POST /api/v1/thin-clients/done': {
    macs: ['52:54:00:00:00:01'],
    order: 'x',
    outcome: 'done',
    sentence: '',
  },
  'POST /api/v1/thin-clients/:id/message': { text: 'Hello.' },
  'PUT /api/v1/thin-clients/:id/assignment': { machine: 'pc' },
  'PUT /api/v1/clients-xml': { text: '<thin-clients/>' },
  'POST /api/v1/clients-xml/check': { text: '<thin-clients/>' },
}
/** Fields of free text: what is spoiled there is still text. */
const FREE_TEXT = new Set([
  'reason',
  'text',
  'domainXml',
  'note',
  'displayName',
  'password',
  'newPassword',
])
const TABLES = [
  'setting',
  'account',
  'token',
  'hypervisor',
  'machine',
  'generation',
  'job',
  'job_target',
  'job_lock',
  'assignment',
  'thin_client',
  'permission_grant',
  'account_role',
  'web_session',
] as const

async function everything(broker: SimulatedBroker): Promise<string> {
  return JSON.stringify(
    await Promise.all(
      TABLES.map(async (table) =>
        (
          await broker.rows(
            `SELECT * FROM ${table} ${table === 'setting' ? "WHERE name <> 'assignments-last-look'" : ''} ORDER BY 1`,
          )
        ).map((row) => ({ ...row, last_used_at: null })),
      ),
    ),
  )
}

/** Adds to `faults` when an answer is not a refusal as it should be: a 4xx of the table of errors, with a sentence. */
function refused(faults: string[], what: string, answer: RawAnswer, ...statuses: number[]): void {
  const {
    code = '',
    message = '',
    requestId,
  } = (answer.body ?? {}) as { code?: string; message?: string; requestId?: string }
  const shown = `${what}: ${answer.status} ${answer.text.slice(0, 200)}`
  if (
    answer.status < 400 ||
    answer.status >= 500 ||
    (statuses.length > 0 && !statuses.includes(answer.status))
  )
    faults.push(shown)
  else if (!(code in ERRORS) || ERRORS[code as keyof typeof ERRORS].status !== answer.status)
    faults.push(`no code of the table: ${shown}`)
  else if (!/^.{5,400}\.$/s.test(message) || typeof requestId !== 'string')
    faults.push(`no sentence: ${shown}`)
}

/** Adds to `faults` when the refusal does not name the field. */
function names(faults: string[], what: string, answer: RawAnswer, field: string): void {
  if (!answer.text.includes(field))
    faults.push(`${what}: the message does not name ${field}: ${answer.text.slice(0, 200)}`)
}

t.test('no strange name comes through, and nothing changes', async (t) => {
  const faults: string[] = []
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.addHypervisors()
  const before = await everything(broker)
  for (const [method, path] of ROUTES) {
    if (!/:name|:id/.test(path)) continue
    for (const [what, name] of NAMES) {
      if (
        what === 'nothing' ||
        what === 'dots' ||
        (/\/(tokens|users)\//.test(path) && what !== 'NUL' && what !== '300 characters')
      )
        continue // dots and nothing make another path; a token or a person may be called anything
      if (path.includes(':id') && what === 'an option') continue // a well-formed id of nothing
      const body =
        BODIES[`${method} ${path}`] ?? (method === 'GET' || method === 'DELETE' ? undefined : {})
      refused(
        faults,
        `${method} ${path} with ${what}`,
        await broker.admin.raw(method, path.replace(/:name|:id/, encodeURIComponent(name)), body),
      )
    }
    for (const raw of ['%', '%zz', '%00', '..%2f..%2fetc', '%c0%ae'].filter(
      (one) => !(one.includes('etc') && path.includes('/users/')),
    ))
      refused(
        faults,
        `${method} ${path} with ${raw}`,
        await broker.admin.raw(method, path.replace(/:name|:id/, raw), BODIES[`${method} ${path}`]),
      )
  }
  t.equal(await everything(broker), before)
  t.same(faults, [])
})

t.test('a strange name in a body is refused with the name of the field', async (t) => {
  const faults: string[] = []
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.addHypervisors()
  const before = await everything(broker)
  const machine = BODIES['POST /api/v1/machines'] ?? {}
  for (const [what, name] of NAMES) {
    const answers: ReadonlyArray<[string, RawAnswer]> = [
      ['name', await broker.admin.raw('POST', '/api/v1/machines', { ...machine, name })],
      [
        'hypervisors',
        await broker.admin.raw('POST', '/api/v1/machines', { ...machine, hypervisors: [name] }),
      ],
      [
        'parent',
        await broker.admin.raw('POST', '/api/v1/machines', {
          ...machine,
          type: 'vdi',
          parent: name,
        }),
      ],
      [
        'network',
        await broker.admin.raw('POST', '/api/v1/machines', {
          ...machine,
          network: `bridge:${name}`,
        }),
      ],
      [
        'name',
        await broker.admin.raw('POST', '/api/v1/hypervisors', {
          ...BODIES['POST /api/v1/hypervisors'],
          name,
        }),
      ],
      [
        'machine',
        await broker.admin.raw('PUT', '/api/v1/thin-clients/x/assignment', { machine: name }),
      ],
      [
        'generation',
        await broker.admin.raw('POST', '/api/v1/machines/pc/populate', { generation: name }),
      ],
    ]
    for (const [field, answer] of answers) {
      refused(faults, `${field} with ${what}`, answer, 400)
      names(faults, what, answer, field)
    }
  }
  for (const name of ['pc-{n}-{n}', 'pc-{n}', 'gold.g7', 'pc-{x}'])
    refused(
      faults,
      name,
      await broker.admin.raw('POST', '/api/v1/machines', {
        name,
        type: 'simple',
        hypervisors: ['hv1'],
        count: name === 'pc-{n}' ? 1_001 : 1,
      }),
      400,
    )
  t.equal(await everything(broker), before)
  t.same(faults, [])
})

t.test('fields of the wrong type, of too much, and unknown ones are named', async (t) => {
  const faults: string[] = []
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.addHypervisors()
  const before = await everything(broker)
  for (const [route, good] of Object.entries(BODIES)) {
    const [method = '', path = ''] = route.split(' ')
    const send = async (body: unknown): Promise<RawAnswer> =>
      await broker.admin.raw(method, path.replace(/:name|:id/, 'nowhere'), body)
    const unknown = await send({ ...good, colour: 'red' })
    refused(faults, `${route} with an unknown field`, unknown, 400)
    names(faults, route, unknown, 'colour')
    for (const body of [[], '"text"', 'null', '7'])
      refused(faults, `${route} with ${JSON.stringify(body)}`, await send(body), 400)
    for (const field of Object.keys(good)) {
      for (const value of VALUES) {
        if (fits(field, value)) continue
        const answer = await send({ ...good, [field]: value })
        refused(
          faults,
          `${route} with ${field} ${JSON.stringify(value)?.slice(0, 40)}`,
          answer,
          400,
        )
        names(faults, `${route} with ${JSON.stringify(value)}`, answer, field)
      }
    }
  }
  t.equal(await everything(broker), before)
  t.same(faults, [])
})

/** A spoiled value that happens to be one of the field's good ones. */
function fits(field: string, value: unknown): boolean {
  if (typeof value === 'string')
    return (
      FREE_TEXT.has(field) ||
      (field === 'hostname' && value === '') ||
      (field === 'version' && value === '') ||
      (field === 'sentence' && value === '')
    )
  if (value === null || value === 1e309)
    return ['showing', 'machine'].includes(field) || value === 1e309 // JSON has no infinity: it is null
  if (typeof value === 'boolean')
    return ['on', 'force', 'children', 'disabled', 'take'].includes(field)
  if (value === 7)
    return ['count', 'port', 'maxStarts', 'vcpus', 'timeoutMs', 'waitMs', 'diskGib'].includes(field)
  if (Array.isArray(value) && value.length === 0) return field === 'roles'
  return (
    typeof value === 'object' &&
    !Array.isArray(value) &&
    field === 'directories' &&
    Object.keys(value).length === 0
  )
}

t.test('what is not JSON is refused', async (t) => {
  const faults: string[] = []
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  for (const path of [
    '/api/v1/machines',
    '/api/v1/thin-clients/ask',
    '/api/v1/clients-xml/check',
  ]) {
    for (const text of [
      '{',
      '{"name":',
      'name=x',
      '{"a":1}{"b":2}',
      '\u0000',
      '{"__proto__":{"x":1}}',
      '{"constructor":{"prototype":{"x":1}}}',
      '',
    ])
      refused(faults, `${path} with ${text}`, await broker.admin.raw('POST', path, text), 400)
    for (const type of [
      'text/plain',
      'application/xml',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/json\t; x',
      'nonsense',
    ]) {
      refused(
        faults,
        `${path} as ${type}`,
        await broker.admin.raw('POST', path, '{"a":1}', { 'content-type': type }),
        415,
        400,
      )
    }
    refused(
      faults,
      `${path} as text`,
      await broker.admin.raw('POST', path, 'hello', { 'content-type': 'text/plain' }),
      415,
    )
  }
  t.same(faults, [])
})

t.test('unknown addresses and methods are answered in the same form', async (t) => {
  const faults: string[] = []
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/api/v1'],
    ['GET', '/api/v2/machines'],
    ['DELETE', '/api/v1/machines'],
    ['TRACE', '/healthz'],
    ['GET', '/api/v1/../../etc/passwd'],
    ['GET', '//evil.example/'],
    ['GET', '/%'],
    ['GET', `/${'a/'.repeat(3_000)}`],
  ] as const) {
    refused(faults, `${method} ${path.slice(0, 40)}`, await broker.admin.raw(method, path))
  }
  t.same(faults, [])
})

t.test('a query is checked as a body is', async (t) => {
  const faults: string[] = []
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  for (const query of [
    'jobs?limit=0',
    'jobs?limit=501',
    'jobs?limit=x',
    'jobs?state=nonsense',
    'jobs?colour=red',
    'events?before=-1',
    'machines?type=nonsense',
    'machines?hypervisor=a%20b',
    'machines?type=vdi&type=source',
  ])
    refused(faults, query, await broker.admin.raw('GET', `/api/v1/${query}`), 400)
  refused(faults, 'force', await broker.admin.raw('DELETE', '/api/v1/machines/pc?force=maybe'), 400)
  t.same(faults, [])
})

t.test('a body of 100 MB is refused early, and the memory does not grow', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  const before = process.memoryUsage().rss
  for (const length of [100 * 1024 * 1024, null]) {
    for (const path of ['/api/v1/clients-xml', '/api/v1/thin-clients/ask']) {
      const { status, code, sentBytes } = await flood(broker, path, length)
      t.same(
        [status, code],
        [413, 'too_large'],
        `${path} ${length === null ? 'in chunks' : 'with its length'}`,
      )
      t.ok(sentBytes < 20 * 1024 * 1024, `refused after ${sentBytes} bytes`)
    }
  }
  t.ok(
    process.memoryUsage().rss - before < 120 * 1024 * 1024,
    `grew by ${Math.round((process.memoryUsage().rss - before) / 1048576)} MiB`,
  )
})

/** Sends 100 MB in pieces of 64 KiB until there is an answer; `length` null: chunked. */
async function flood(
  broker: SimulatedBroker,
  path: string,
  length: number | null,
): Promise<{ status: number; code: string; sentBytes: number }> {
  const piece = Buffer.alloc(65_536, 0x20)
  return await new Promise((resolve, reject) => {
    let sentBytes = 0
    let answered = false
    const sent = request(
      `${broker.url}${path}`,
      {
        method: path.endsWith('ask') ? 'POST' : 'PUT',
        ca: broker.ca,
        agent: false,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${broker.token}`,
          ...(length === null ? {} : { 'content-length': length }),
        },
      },
      (response) => {
        answered = true
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        const end = (): void => {
          resolve({
            status: response.statusCode ?? 0,
            code: (JSON.parse(Buffer.concat(parts).toString('utf8')) as { code: string }).code,
            sentBytes,
          })
        }
        response.on('end', end).on('error', end)
      },
    )
    sent.on('error', (error) => {
      if (!answered) reject(error)
    })
    const write = (): void => {
      while (!answered && !sent.destroyed && sentBytes < 100 * 1024 * 1024) {
        sentBytes += piece.length
        if (!sent.write(piece)) return void sent.once('drain', write)
      }
    }
    write()
  })
}

t.test('a domain.xml that is none is refused before anything is made', async (t) => {
  const faults: string[] = []
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.addHypervisors()
  const before = await everything(broker)
  for (const domainXml of [
    '',
    '<domain',
    '<network/>',
    '<!DOCTYPE d [<!ENTITY a "b">]><domain>&a;</domain>',
    'text',
  ])
    refused(
      faults,
      domainXml,
      await broker.admin.raw('POST', '/api/v1/machines', {
        name: 'pc',
        type: 'simple',
        hypervisors: ['hv1'],
        domainXml,
      }),
      400,
    )
  t.equal(await everything(broker), before)
  t.same(faults, [])
})

t.test('plain HTTP is not spoken', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  await t.rejects(fetch(`http://127.0.0.1:${broker.broker.port}/healthz`))
})
