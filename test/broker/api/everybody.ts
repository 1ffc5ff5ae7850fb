import { text } from 'node:stream/consumers'
import type { InjectOptions, Response } from 'light-my-request'
import { type Verb, VERBS } from '../../../broker/api/permissions.js'
import { ApiClient } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { addPerson, allow } from '../../support/people.js'
import { type Needs } from './routes.js'

export const DEVICE = { macs: ['52:54:00:00:00:01'], hostname: 'desk', version: '1' }

/** A body that passes no schema: nobody gets further than permission and schema. */
export const NONSENSE = { nonsense: true }

/** Like inject, but of a stream that does not end only the head is waited for. */
export async function ask(broker: SimulatedBroker, options: InjectOptions): Promise<Response> {
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

const PLAIN = { known: true, reads: false, all: false, verbs: [] }

/** Nobody, people with every single permission on pc-1, the site roles, and tokens with every single scope. */
export async function everybody(broker: SimulatedBroker): Promise<Somebody[]> {
  const people: Somebody[] = [
    { ...PLAIN, name: 'nobody', client: broker.anybody, known: false },
    {
      ...PLAIN,
      name: 'a wrong token',
      client: new ApiClient(broker.url, broker.ca, 'berth_wrong'),
      known: false,
    },
    {
      ...PLAIN,
      name: 'a device key',
      client: broker.anybody,
      headers: { authorization: `Device ${'ab'.repeat(32)}` },
      known: false,
    },
    { ...PLAIN, name: 'a person without grants', client: await addPerson(broker, 'stranger') },
    {
      ...PLAIN,
      name: 'one with another role',
      client: await addPerson(broker, 'staff', { roles: ['staff', 'administrators'] }),
    },
    {
      ...PLAIN,
      name: 'an observer',
      client: await addPerson(broker, 'watcher', { roles: ['observer'] }),
      reads: true,
    },
    {
      ...PLAIN,
      name: 'an administrator',
      client: await addPerson(broker, 'root', { roles: ['admin'] }),
      reads: true,
      all: true,
    },
  ]
  await addThoseWithVerbs(people, broker)
  return people
}

async function addThoseWithVerbs(people: Somebody[], broker: SimulatedBroker): Promise<void> {
  for (const verb of VERBS) {
    const every = verb === 'admin' || verb === '*'
    const verbs = every
      ? VERBS
      : verb === 'takeConsole'
        ? (['takeConsole', 'accessConsole'] as const)
        : [verb]
    const name = `one with ${verb}`
    people.push({ ...PLAIN, name, client: await addPerson(broker, name), verbs })
    await allow(broker, name, [verb], 'pc-1')
    await allow(broker, name, [verb], 'desks', 'pool')
    people.push({
      ...PLAIN,
      name: `an administrator's token for ${verb}`,
      client: await addPerson(broker, 'root', { scopes: [verb] }),
      verbs,
      reads: verb === 'admin',
      all: verb === 'admin',
      narrow: verb !== 'admin',
    })
    people.push({
      ...PLAIN,
      name: `a token for ${verb} of one who may only start`,
      client: await addPerson(broker, 'one with start', { scopes: [verb] }),
      verbs: every || verb === 'start' ? ['start'] : [],
      narrow: verb !== 'admin',
    })
  }
  people.push({
    ...PLAIN,
    name: "an administrator's token to observe",
    client: await addPerson(broker, 'root', { scopes: ['observe'] }),
    reads: true,
    narrow: true,
  })
}

/** The pool or machine that the people have permissions on, where a permission counts. */
export function nameFor(needs: Needs): string {
  return !needs.includes(':') ? 'nowhere' : needs.includes('pool') ? 'desks' : 'pc-1'
}

/** 401: not known; 403: known, and not allowed; 404: must not learn of it. */
export function outcome(needs: Needs, who: Somebody): 401 | 403 | 404 | 'in' {
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
