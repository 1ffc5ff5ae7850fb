import t from 'tap'
import type { RawAnswer } from '../../support/api-client.js'
import { BODIES, everything, GOOD, NAMES, place, POLICY, VALUES } from './bad-pool-bodies.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'

t.setTimeout(240_000)

t.test('no strange name comes through, in an address or in a body', async (t) => {
  const { broker, faults, refused } = await place(t)
  const before = await everything(broker)
  for (const name of NAMES) {
    const encoded = encodeURIComponent(name)
    for (const [method, path, body] of [
      ['GET', `pools/${encoded}`],
      ['DELETE', `pools/${encoded}`],
      ['PATCH', `pools/${encoded}`, { size: 1 }],
      ['PUT', `pools/${encoded}/maintenance`, { on: true }],
      ['POST', `pools/${encoded}/claim`, {}],
      ['POST', `pools/${encoded}/assign`, { user: 'ann' }],
      ['POST', `pools/${encoded}/members`, { machine: 'pc' }],
      ['DELETE', `pools/lab/members/${encoded}`],
      ['POST', `machines/${encoded}/assign`, { user: 'ann' }],
      ['POST', `machines/${encoded}/release`, {}],
      ['POST', `machines/${encoded}/extend`],
      ['POST', `machines/${encoded}/rebuild`],
    ] as const) {
      refused(`${method} ${path}`, await broker.admin.raw(method, `/api/v1/${path}`, body))
    }
    refused(
      'a new pool',
      await broker.admin.raw('POST', '/api/v1/pools', { name, size: 0 }),
      'name',
    )
    refused(
      'from',
      await broker.admin.raw('POST', '/api/v1/pools', { name: 'x', from: name }),
      'from',
    )
    refused(
      'hypervisors',
      await broker.admin.raw('POST', '/api/v1/pools', { name: 'x', hypervisors: [name] }),
      'hypervisors',
    )
    await refusedInBodies(refused, broker, name)
  }
  t.same(faults, [])
  t.same(await everything(broker), before)
})

async function refusedInBodies(
  refused: (what: string, answer: RawAnswer, field?: string) => void,
  broker: SimulatedBroker,
  name: string,
): Promise<void> {
  refused(
    'network',
    await broker.admin.raw('POST', '/api/v1/pools', {
      name: 'x',
      from: 'golden-desktop',
      network: `bridge:${name}`,
    }),
    'network',
  )
  refused(
    'member',
    await broker.admin.raw('POST', '/api/v1/pools/lab/members', { machine: name }),
    'machine',
  )
  refused(
    'assign',
    await broker.admin.raw('POST', '/api/v1/pools/lab/assign', { user: 'ann', machine: name }),
    'machine',
  )
  refused(
    'apply',
    await broker.admin.raw('POST', '/api/v1/apply', {
      yaml: JSON.stringify({
        apiVersion: 'berth/v1',
        kind: 'Pool',
        metadata: { name },
        spec: {},
      }),
    }),
    'metadata.name',
  )
}

t.test('fields of the wrong type, of too much, and unknown ones are named', async (t) => {
  const { broker, faults, refused } = await place(t)
  const before = await everything(broker)
  for (const [route, good] of Object.entries(BODIES)) {
    const [method = '', path = ''] = route.split(' ')
    const send = async (body: unknown): Promise<RawAnswer> =>
      await broker.admin.raw(method, path, body)
    refused(`${route} with an unknown field`, await send({ ...good, colour: 'red' }), 'colour')
    for (const body of [[], '"text"', 'null', '7'])
      refused(`${route} with ${JSON.stringify(body)}`, await send(body))
    for (const field of Object.keys(good)) {
      for (const value of VALUES)
        if (!(GOOD[field]?.(value) ?? false))
          refused(
            `${route} with ${field} ${JSON.stringify(value)?.slice(0, 40)}`,
            await send({ ...good, [field]: value }),
            field,
          )
    }
  }
  for (const field of Object.keys(POLICY)) {
    for (const value of VALUES)
      if (!(GOOD[field]?.(value) ?? false))
        refused(
          `policy.${field} ${JSON.stringify(value)?.slice(0, 40)}`,
          await broker.admin.raw('PATCH', '/api/v1/pools/lab', {
            policy: { ...POLICY, [field]: value },
          }),
          field,
        )
  }
  t.same(faults, [])
  t.same(await everything(broker), before)
})

t.test('documents: what is no text, too much, or means to harm', async (t) => {
  const { broker, faults, refused } = await place(t)
  const before = await everything(broker)
  const level = (_: unknown, index: number): string => {
    const below = index === 0 ? '*a,' : `*b${index - 1},`
    return `b${index}: &b${index} [${below.repeat(20)}]`
  }
  const levels = Array.from({ length: 20 }, level)
  const bomb = `a: &a [${'x,'.repeat(100)}]\n${levels.join('\n')}\n`
  const texts = [
    '{',
    '\u0000',
    '!!js/function "function(){}"',
    '!!python/object/apply:os.system [id]',
    bomb,
    `${'['.repeat(2_000)}`,
    'a: b: c',
    '%YAML 9.9\n---\na',
    '__proto__:\n  x: 1\n',
    'apiVersion: berth/v1\nkind: __proto__\n',
    `apiVersion: berth/v1\nkind: Pool\nmetadata:\n  name: ${'x'.repeat(100_000)}\nspec: {}\n`,
  ]
  for (const yaml of texts)
    for (const dryRun of [true, false])
      refused(yaml.slice(0, 60), await broker.admin.raw('POST', '/api/v1/apply', { yaml, dryRun }))
  refused(
    'more than a mebibyte',
    await broker.admin.raw('POST', '/api/v1/apply', { yaml: `# ${'x'.repeat(1_100_000)}\n` }),
  )
  t.same(faults, [])
  t.same(await everything(broker), before)
})

const CONFLICTS: Array<[string, string, object | undefined, number, RegExp]> = [
  [
    'POST',
    'pools',
    { name: 'LAB' },
    409,
    /There is a pool lab already: choose another name, or change its size with "berth pool resize lab N"/,
  ],
  [
    'POST',
    'pools',
    { name: 'x', size: 2 },
    400,
    /needs the golden machine .*: give "from", or a size of 0/,
  ],
  ['POST', 'pools', { name: 'x', from: 'nowhere', size: 1 }, 404, /nowhere/],
  [
    'POST',
    'pools',
    { name: 'x', from: 'golden-desktop', hypervisors: ['hv9'], size: 1 },
    404,
    /hv9.*"berth hypervisor list"/,
  ],
  ['GET', 'pools/x', undefined, 404, /"berth pool list" shows all/],
  [
    'POST',
    'pools/lab/members',
    { machine: 'golden-desktop' },
    409,
    /source machine: only vdi and simple/,
  ],
  ['DELETE', 'pools/lab/members/pc', undefined, 404, /pc is no member of lab/],
  ['POST', 'machines/lab-1/release', {}, 404, /Nobody has lab-1: there is nothing to release/],
  ['POST', 'machines/lab-1/extend', undefined, 404, /Nobody has lab-1/],
  ['POST', 'machines/pc/rebuild', undefined, 409, /made from no initial machine/],
  ['POST', 'machines/golden-desktop/assign', { user: 'ann' }, 409, /only vdi and simple/],
  [
    'POST',
    'pools/lab/assign',
    { user: 'ann', machine: 'pc' },
    404,
    /pc is no member of lab: make it one with "berth pool add lab pc"/,
  ],
]

t.test(
  'what does not fit what is there is refused in a sentence that says what to do',
  async (t) => {
    const { broker } = await place(t)
    for (const [method, path, body, status, message] of CONFLICTS) {
      const answer = await broker.admin.raw(method, `/api/v1/${path}`, body)
      t.equal(answer.status, status, `${method} ${path} ${answer.text}`)
      t.match((answer.body as { message: string }).message, message)
    }
    await broker.admin.post('/pools', { name: 'empty' })
    await t.rejects(broker.admin.patch('/pools/empty', { size: 1 }), {
      message: /no golden machine .*: add machines with "berth pool add empty MACHINE"/,
    })
    await t.rejects(broker.admin.post('/pools/empty/assign', { user: 'ann' }), {
      code: 'pool_exhausted',
      message: /empty has no desktops yet/,
    })
  },
)
