import t from 'tap'
import type { RawAnswer } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { ROUTES } from './routes.js'
import { BODIES, everything, fits, NAMES, names, refused, VALUES } from './bad-bodies.js'

t.setTimeout(360_000)

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
    const answers: ReadonlyArray<[string, RawAnswer]> = await answersTo(broker, machine, name)
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

async function answersTo(
  broker: SimulatedBroker,
  machine: Readonly<Record<string, unknown>>,
  name: string,
): Promise<ReadonlyArray<[string, RawAnswer]>> {
  return [
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
}

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
