import t from 'tap'
import { ERRORS } from '../../../broker/errors/codes.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { ROUTES } from './routes.js'

interface Operation {
  readonly summary?: string
  readonly tags?: readonly string[]
  readonly parameters?: ReadonlyArray<{
    name: string
    in: string
    required?: boolean
    schema: object
  }>
  readonly requestBody?: { content: Record<string, { schema: object }> }
  readonly responses: Record<
    string,
    { description: string; content?: Record<string, { schema: object }> }
  >
}
interface OpenApi {
  readonly openapi: string
  readonly info: { title: string; version: string; description: string }
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { securitySchemes: Record<string, object>; schemas?: Record<string, object> }
}

async function document(): Promise<OpenApi> {
  const broker = await SimulatedBroker.start()
  const read = await broker.anybody.get<OpenApi>('/openapi.json')
  await broker.remove()
  return read
}

t.test(
  'openapi.json lists every route of the API with its summary, its access and its answers',
  async (t) => {
    const { openapi, info, paths, components } = await document()
    t.match(openapi, /^3\.1\.\d$/)
    t.match(info, { title: 'Berth', version: /^\d+\.\d+\.\d+/ })
    t.match(components.securitySchemes, { bearer: { type: 'http', scheme: 'bearer' } })
    const listed = Object.entries(paths)
      .flatMap(([path, item]) =>
        Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
      )
      .sort()
    const wanted = ROUTES.filter(
      ([, path]) => path.startsWith('/api/v1') && !path.endsWith('openapi.json'),
    )
      .map(([method, path]) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
      .sort()
    t.same(listed, wanted)
    for (const [method, path, access] of ROUTES) {
      const operation = paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]
      if (!operation) continue
      const what = `${method} ${path}`
      t.same(operation.tags, [access.includes(':') ? 'permission' : access], what)
      t.ok((operation.summary?.length ?? 0) > 3, `${what} has a summary`)
      t.same(
        operation.parameters
          ?.filter((parameter) => parameter.in === 'path')
          .map((parameter) => parameter.name) ?? [],
        [...path.matchAll(/:(\w+)/g)].map((match) => match[1]),
        `${what} names its parameters`,
      )
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        t.match(
          status,
          /^([1-5]\d\d|[45]XX|default)$/,
          `${what}: the answer ${status} is one of OpenAPI`,
        )
        t.type(description, 'string')
        for (const part of Object.values(content ?? {})) t.type(part.schema, 'object')
      }
      t.ok(
        Object.keys(operation.responses).some((status) => /^4/.test(status)),
        `${what} documents its refusals`,
      )
    }
  },
)

t.test('every error code is documented with its status', async (t) => {
  const { info } = await document()
  for (const [code, { status, meaning }] of Object.entries(ERRORS))
    t.ok(info.description.includes(`${code} (${status}): ${meaning}`), code)
})

t.test('every schema is of the kinds that JSON Schema 2020-12 has', async (t) => {
  const known = new Set(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'])
  const faults: string[] = []
  const look = (value: unknown, at: string): void => {
    if (typeof value !== 'object' || value === null) return
    const node = value as Record<string, unknown>
    if ('nullable' in node) faults.push(`${at}: nullable is of OpenAPI 3.0`)
    if (
      typeof node['type'] === 'string' &&
      !known.has(node['type']) &&
      !at.includes('.securitySchemes.')
    )
      faults.push(`${at}: type ${node['type']}`)
    if (typeof node['$ref'] === 'string' && !node['$ref'].startsWith('#/components/'))
      faults.push(`${at}: ${node['$ref']}`)
    if (typeof node['pattern'] === 'string') new RegExp(node['pattern'], 'u') // throws for a bad one
    // What is refused is told by the description; of a parameter it stands beside the schema.
    const { pattern } = (
      'in' in node ? (node['schema'] ?? {}) : /\.parameters\.\d+\.schema$/.test(at) ? {} : node
    ) as { pattern?: unknown }
    if (typeof pattern === 'string' && typeof node['description'] !== 'string')
      faults.push(`${at}: a pattern that is not said in words`)
    for (const [key, child] of Object.entries(node))
      if (key !== 'example' && key !== 'default' && key !== 'properties')
        look(child, `${at}.${key}`)
    for (const [key, child] of Object.entries(
      (node['properties'] as Record<string, unknown> | undefined) ?? {},
    ))
      look(child, `${at}.${key}`)
  }
  look(await document(), '')
  t.same(faults, [])
})
