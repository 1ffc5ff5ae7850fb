import type { FastifyRequest } from 'fastify'
import { pino } from 'pino'
import type { Changes } from '../../../broker/live/changes.js'
import { Streams } from '../../../broker/live/streams.js'
import type { Caller } from '../../../broker/users/caller.js'
import { ApiClient } from '../../support/api-client.js'
import { flood } from './flood.js'
import { admin, type BoundRows, broker, loginOf, newPerson } from './crowded-broker.js'

/** Opens streams until one is refused; gives how many are open, and what closes them. */
async function openStreams(clients: readonly ApiClient[], each: number): Promise<number> {
  const statuses = await Promise.all(
    clients.map(
      async ({ token }) =>
        await flood(broker, {
          path: '/api/v1/live',
          token,
          headers: { accept: 'text/event-stream' },
          from: '127.0.0.5',
          count: each,
          atOnce: each,
          leaveAfterMs: 3_000,
        }),
    ),
  )
  return statuses.reduce((sum, of) => sum + (of.get(200) ?? 0), 0)
}

/** What one person may have and ask. */
export const PEOPLE: BoundRows = {
  'tokens of a person': async (t) => {
    const person = { name: 'many-tokens', password: 'a long password of theirs' }
    await admin.post('/users', person)
    const { token } = await admin.post<{ token: string }>('/login', person)
    const own = new ApiClient(admin.url, admin.ca, token)
    const statuses: number[] = []
    for (let index = 0; index < 55; index++)
      statuses.push((await own.raw('POST', '/api/v1/tokens', { name: `t${index}` })).status)
    t.equal(statuses.filter((status) => status === 201).length, 50)
    t.equal(statuses.at(-1), 409)
  },
  'wrong passwords': async (t) => {
    const stranger = new ApiClient(admin.url, admin.ca, null, '127.0.0.78')
    const statuses: number[] = []
    for (let index = 0; index < 8; index++)
      statuses.push(
        (await stranger.raw('POST', '/api/v1/login', { name: 'nobody', password: 'x' })).status,
      )
    t.same(statuses.slice(0, 5), [401, 401, 401, 401, 401])
    t.ok(statuses.includes(429))
  },
  'live streams of a login': async (t) => {
    t.equal(await openStreams([await newPerson('ann')], 30), 20)
  },
  'live streams of a person': async (t) => {
    await newPerson('ben')
    const logins: ApiClient[] = []
    for (let index = 0; index < 4; index++) logins.push(await loginOf('ben'))
    t.equal(await openStreams(logins, 20), 80, 'each login has its own')
    const streams = new Streams({
      changes: { subscribe: () => {} } as unknown as Changes,
      stillIn: async () => await Promise.reject(new Error('nobody is looked at')),
      log: pino({ level: 'silent' }),
    })
    const open = (login: string, person: string): void => {
      streams.open({ key: person, login } as Caller, {
        request: {} as FastifyRequest,
        still: () => {},
        end: () => {},
      })
    }
    for (let index = 0; index < 500; index++) open(`login ${String(index % 25)}`, 'eve')
    t.throws(
      () => {
        open('login 26', 'eve')
      },
      { code: 'too_many_connections' },
    )
    for (let index = 0; index < 19_500; index++) open(`of ${String(index)}`, `p${String(index)}`)
    t.throws(
      () => {
        open('of nobody', 'nobody')
      },
      { code: 'too_many_connections' },
    )
    streams.stop()
  },
  'checks of logins with open streams': async (t) => {
    const watchers = [await newPerson('cid'), await loginOf('cid'), await loginOf('cid')]
    const open = openStreams(watchers, 20)
    for (let index = 0; index < 40; index++)
      await admin.patch('/users/cid', { displayName: `Cid ${String(index)}` })
    t.equal(await open, 60)
  },
  'requests of a person without a role': async (t) => {
    const { token } = await newPerson('dan')
    const changes = await flood(broker, {
      method: 'PUT',
      path: '/api/v1/grants',
      from: '127.0.0.18',
      token,
      count: 50,
      body: () => ({}),
    })
    t.equal(changes.get(403), 50, 'what is forbidden is so at once')
    const made = await flood(broker, {
      method: 'DELETE',
      path: '/api/v1/tokens/none',
      from: '127.0.0.18',
      token,
      count: 600,
    })
    t.ok((made.get(429) ?? 0) > 0, `changes: ${JSON.stringify([...made])}`)
    const looks = await flood(broker, {
      path: '/api/v1/desktops',
      from: '127.0.0.18',
      token,
      count: 6_000,
    })
    t.ok((looks.get(429) ?? 0) > 0, `looks: ${JSON.stringify([...looks])}`)
  },
}
