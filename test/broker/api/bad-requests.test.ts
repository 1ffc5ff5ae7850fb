import { request } from 'node:https'
import t from 'tap'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { refused } from './bad-bodies.js'

t.setTimeout(360_000)

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

t.test('plain HTTP is not spoken', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  await t.rejects(fetch(`http://127.0.0.1:${broker.broker.port}/healthz`))
})
