import { flood } from './flood.js'
import { admin, type BoundRows, broker, EVENTS, posted } from './crowded-broker.js'

function hex(value: number): string {
  return (value & 0xff).toString(16).padStart(2, '0')
}

/** What is large or dear to answer. */
export const REQUESTS: BoundRows = {
  'body of a request': async (t) => {
    const text = 'x'.repeat(17_000)
    const statuses = await posted({
      path: '/api/v1/login',
      from: '127.0.0.12',
      count: 500,
      body: () => ({ text }),
    })
    t.equal([...statuses.keys()].filter((status) => status !== 413 && status !== 0).length, 0)
  },
  'checks of clients.xml': async (t) => {
    const client = (_: unknown, index: number): string =>
      `<client mac="52:54:00:00:${hex(index >> 8)}:${hex(index)}"><protocol>SPICE</protocol>` +
      `<machine-name>pc-${String(index)}</machine-name></client>`
    const clients = Array.from({ length: 3_000 }, client).join('')
    const text = `<thin-clients>${clients}</thin-clients>`
    const statuses = await posted({
      path: '/api/v1/clients-xml/check',
      from: '127.0.0.15',
      token: admin.token,
      count: 40,
      body: () => ({ text }),
    })
    // A refusal does not wait for the body, so its sender may find the connection closed.
    t.ok((statuses.get(200) ?? 0) <= 30)
    t.ok((statuses.get(429) ?? 0) > 0)
    t.same(
      [...statuses.keys()].filter((status) => ![200, 429, 0].includes(status)),
      [],
    )
  },
  'pool documents': async (t) => {
    const pool = (index: number): string =>
      `apiVersion: berth/v1\nkind: Pool\nmetadata: { name: p${String(index)} }\nspec: { from: nothing, size: 1 }\n`
    const documents = (count: number): string =>
      Array.from({ length: count }, (_, index) => pool(index)).join('---\n')
    const applied = async (yaml: string): Promise<Map<number, number>> =>
      await posted({
        path: '/api/v1/apply',
        from: '127.0.0.15',
        token: admin.token,
        count: 3,
        body: () => ({ yaml, dryRun: true }),
      })
    t.match(await applied(documents(1_001)), new Map([[400, 3]]))
    const most = await applied(documents(1_000))
    t.equal(most.get(0) ?? 0, 0, 'it is answered')
  },
  'verifying the audit log': async (t) => {
    const verified = await admin.post<{ good: boolean; events: number }>('/events/verify')
    t.ok(verified.good)
    t.ok(verified.events >= EVENTS)
  },
  'openapi.json': async (t) => {
    const statuses = await flood(broker, {
      path: '/api/v1/openapi.json',
      from: '127.0.0.16',
      count: 100,
    })
    t.match(
      statuses,
      new Map([
        [200, 60],
        [429, 40],
      ]),
    )
  },
  'the installer': async (t) => {
    const statuses = await flood(broker, {
      path: '/install/hypervisor.sh',
      from: '127.0.0.17',
      count: 400,
    })
    t.match(
      statuses,
      new Map([
        [200, 300],
        [429, 100],
      ]),
    )
  },
}
