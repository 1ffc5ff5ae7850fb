import { gunzipSync } from 'node:zlib'
import Fastify, {
  type FastifyInstance,
  type InjectOptions,
  type LightMyRequestResponse,
} from 'fastify'
import t from 'tap'
import { Changes } from '../../../broker/live/changes.js'
import { shareAnswers } from '../../../broker/live/shared-answers.js'
import type { Caller } from '../../../broker/users/caller.js'
import { ApiClient } from '../../support/api-client.js'
import { addPerson } from '../../support/people.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'

/** A server with one list of much text, who asks named by a header; counts how often the list is read. */
class Place {
  readonly changes = new Changes()
  readonly app: FastifyInstance = Fastify()
  reads = 0
  text = 'a'
  fails = false
  nowMs = 0
  /** Readings end when it does. */
  gate: Promise<void> = Promise.resolve()

  constructor() {
    this.app.decorateRequest('caller', null)
    this.app.addHook('onRequest', async (request) => {
      request.caller = { role: request.headers['x-role'] } as unknown as Caller
    })
    shareAnswers(this.app, this.changes, () => this.nowMs)
    this.app.get('/api/v1/machines', async (request) => {
      this.reads += 1
      const { text } = this
      await this.gate
      if (this.fails) throw new Error('no database')
      return {
        machines: [{ name: text.repeat(2_000) }],
        asked: (request.query as { type?: string }).type ?? '',
        by: request.headers['x-role'],
      }
    })
  }

  /** Readings wait from now on, until the function is called that it gives. */
  shut(): () => void {
    let open = (): void => {}
    this.gate = new Promise((resolve) => {
      open = resolve
    })
    return open
  }

  async ask(
    headers: Record<string, string> = {},
    url = '/api/v1/machines',
  ): Promise<LightMyRequestResponse> {
    return await this.app.inject({
      method: 'GET',
      url,
      headers: { 'x-role': 'admin', ...headers },
    } satisfies InjectOptions)
  }
}

t.test(
  'many who ask at one moment, and those who come before anything changes, get one reading',
  async (t) => {
    const place = new Place()
    const open = place.shut()
    const asked = Array.from({ length: 40 }, async () => await place.ask())
    await until(() => place.reads > 0, { withinMs: 1_000, what: 'it is being read' })
    open()
    const answers = await Promise.all(asked)
    answers.push(await place.ask())
    t.equal(place.reads, 1)
    t.same(new Set(answers.map(({ body }) => body)).size, 1)
    t.ok(
      answers.every(
        ({ statusCode, headers }) =>
          statusCode === 200 &&
          /^application\/json/.test(String(headers['content-type'])) &&
          headers.etag === answers[0]?.headers.etag,
      ),
    )
  },
)

t.test(
  'after any change it is read again, also after one that nobody is told of, and while an older reading is at work',
  async (t) => {
    const place = new Place()
    for (const [text, change] of [
      ['b', 'machine'],
      ['c', 'web_session'],
      ['d', 'pool'],
    ] as const) {
      await place.ask()
      place.text = text
      place.changes.wrote(change)
      t.match((await place.ask()).json(), { machines: [{ name: text.repeat(2_000) }] })
    }
    place.changes.note('machines')
    const [open, { reads }] = [place.shut(), place]
    const slow = place.ask()
    await until(() => place.reads > reads, { withinMs: 1_000, what: 'it is being read' })
    place.text = 'e'
    place.changes.noteSeldom('hypervisors')
    place.gate = Promise.resolve()
    t.match(
      (await place.ask()).json(),
      { machines: [{ name: 'e'.repeat(2_000) }] },
      'what was begun before the change is not taken',
    )
    open()
    t.match((await slow).json(), { machines: [{ name: 'd'.repeat(2_000) }] })
    t.match((await place.ask()).json(), { machines: [{ name: 'e'.repeat(2_000) }] }, 'nor kept')
  },
)

t.test('time that goes by ends it too', async (t) => {
  const place = new Place()
  await place.ask()
  place.nowMs = 1_001
  await place.ask()
  t.equal(place.reads, 2)
})

t.test(
  'it is sent once: one who has it is told that it is still so, and others get it compressed where they can read that',
  async (t) => {
    const place = new Place()
    const plain = await place.ask()
    const etag = String(plain.headers.etag)
    const same = await place.ask({ 'if-none-match': etag })
    t.match(same, { statusCode: 304, body: '' })
    const packed = await place.ask({ 'accept-encoding': 'br, gzip' })
    t.match(packed.headers, { 'content-encoding': 'gzip', vary: 'accept-encoding' })
    t.ok(packed.rawPayload.length < plain.body.length / 5, `${packed.rawPayload.length} bytes`)
    t.equal(gunzipSync(packed.rawPayload).toString('utf8'), plain.body)
    for (const none of ['identity', 'gzip;q=0', 'gzip; q=0, br', 'x-gzippy'])
      t.equal((await place.ask({ 'accept-encoding': none })).body, plain.body, none)
    t.equal(place.reads, 1)
    place.text = 'z'
    place.changes.wrote('machine')
    t.match(await place.ask({ 'if-none-match': etag }), { statusCode: 200 })
    t.match(
      await place.ask({
        'if-none-match': String((await place.ask()).headers.etag),
        'accept-encoding': 'gzip',
      }),
      { statusCode: 304 },
    )
  },
)

t.test(
  'each role and each question has its own, and a person who sees only some never gets one that was kept',
  async (t) => {
    const place = new Place()
    t.match((await place.ask()).json(), { by: 'admin' })
    t.match((await place.ask({ 'x-role': 'observer' })).json(), { by: 'observer' })
    t.match((await place.ask({ 'x-role': 'user' })).json(), { by: 'user' })
    t.match((await place.ask({ 'x-role': 'user' })).json(), { by: 'user' })
    t.match((await place.ask({}, '/api/v1/machines?type=vdi')).json(), {
      asked: 'vdi',
      by: 'admin',
    })
    t.match((await place.ask()).json(), { asked: '', by: 'admin' })
    t.equal(place.reads, 5)
  },
)

t.test("a fault is nobody else's, and is not kept", async (t) => {
  const place = new Place()
  place.fails = true
  const open = place.shut()
  const asked = [place.ask(), place.ask(), place.ask()]
  await until(() => place.reads > 0, { withinMs: 1_000, what: 'it is being read' })
  open()
  const answers = await Promise.all(asked)
  t.same(
    answers.map(({ statusCode }) => statusCode),
    [500, 500, 500],
  )
  t.equal(place.reads, 3, 'those who waited have tried themselves')
  place.fails = false
  t.equal((await place.ask()).statusCode, 200)
})

t.test(
  'on the broker: what was ordered is in the next answer, and a person sees his own after an administrator saw all',
  async (t) => {
    const broker = await SimulatedBroker.start()
    t.teardown(async () => {
      await broker.remove()
    })
    await broker.addHypervisors()
    const names = async (client = broker.admin): Promise<string[]> =>
      (await client.get<{ machines: Array<{ name: string }> }>('/machines')).machines.map(
        ({ name }) => name,
      )
    const observer = await addPerson(broker, 'olga', { roles: ['observer'] })
    const person = await addPerson(broker, 'ann')
    for (let number = 1; number <= 12; number += 1) {
      await names()
      await broker.admin.post('/machines', {
        name: `m-${number}`,
        type: 'simple',
        hypervisors: ['hv1'],
      })
      t.ok((await names()).includes(`m-${number}`), `${number}`)
    }
    t.equal((await names(observer)).length, 12)
    t.same(await names(person), [])
    const [
      {
        headers: { etag: own },
      },
      {
        headers: { etag },
      },
    ] = [
      await person.raw('GET', '/api/v1/machines'),
      await broker.admin.raw('GET', '/api/v1/machines'),
    ]
    t.type(etag, 'string')
    t.equal(own, undefined)
    t.equal(
      (await person.raw('GET', '/api/v1/machines', undefined, { 'if-none-match': String(etag) }))
        .status,
      200,
      'nor does a mark help him',
    )
    t.equal((await new ApiClient(broker.url, broker.ca).raw('GET', '/api/v1/machines')).status, 401)
  },
)
