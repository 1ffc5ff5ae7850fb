import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { LRUCache } from 'lru-cache'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Changes } from './changes.js'

/** Lists that open pages ask for all at once after each change. They are the same for all who read everything. */
const SHARED: ReadonlySet<string> = new Set(
  ['/machines', '/hypervisors', '/desktops', '/thin-clients', '/jobs'].map(
    (path) => `/api/v1${path}`,
  ),
)
/** Time itself changes some of them, such as whether a thin client was seen lately. */
const LONGEST_KEPT_MS = 1_000
/** Lists are asked for with a few filters; of many different questions the oldest is forgotten. */
const MOST_KEPT = 20
/** Below that, compressing costs more than it saves. */
const LEAST_GZIP_BYTES = 1_400

interface Answer {
  readonly body: string
  readonly etag: string
  gzipped: Promise<Buffer> | undefined
}
interface Kept {
  readonly revision: number
  readonly atMs: number
  readonly answer: Promise<Answer | null>
  readonly give: (answer: Answer | null) => void
}

/**
 * Answers a list that many ask for at one moment from one reading of the database, put into words
 * and compressed once; one who names what they have already (If-None-Match) is told that it is still
 * so. Any change ends what is kept. To be called after access is enforced: it comes after
 * permission. `now`: milliseconds of a clock that only goes forward.
 */
export function shareAnswers(
  app: FastifyInstance,
  changes: Changes,
  now: () => number = () => performance.now(),
): void {
  const kept = new LRUCache<string, Kept>({ max: MOST_KEPT })
  const made = new WeakMap<FastifyRequest, Kept>()

  app.addHook('preHandler', async (request, reply) => {
    const role = sharedRole(request)
    if (role === null) return
    const key = `${role} ${request.url}`
    const known = kept.get(key)
    if (known?.revision === changes.revision && now() - known.atMs < LONGEST_KEPT_MS) {
      const answer = await known.answer
      if (answer) return await send(request, reply, answer)
      return
    }
    for (const [old, { revision }] of kept) if (revision !== changes.revision) kept.delete(old)
    const mine = keep(changes.revision, now())
    kept.set(key, mine)
    made.set(request, mine)
  })

  app.addHook('onSend', async (request, reply, payload) => {
    const mine = made.get(request)
    if (!mine) return payload
    made.delete(request)
    if (reply.statusCode !== 200 || typeof payload !== 'string') {
      mine.give(null)
      return payload
    }
    const answer: Answer = {
      body: payload,
      etag: `"${createHash('sha256').update(payload).digest('base64url').slice(0, 22)}"`,
      gzipped: undefined,
    }
    mine.give(answer)
    return await encoded(request, reply, answer)
  })

  // One who went away before their answer was ready leaves nobody waiting.
  app.addHook('onResponse', async (request) => {
    made.get(request)?.give(null)
  })
}

function keep(revision: number, atMs: number): Kept {
  let give: Kept['give'] = () => {}
  const answer = new Promise<Answer | null>((resolve) => {
    give = resolve
  })
  return { revision, atMs, answer, give }
}

async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Answer,
): Promise<FastifyReply> {
  const body = await encoded(request, reply, answer)
  return await reply.type('application/json; charset=utf-8').send(body)
}

/** Sets the headers of an answer, and gives what is sent of it. */
async function encoded(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Answer,
): Promise<string | Buffer> {
  void reply.header('etag', answer.etag).header('vary', 'accept-encoding')
  if (request.headers['if-none-match'] === answer.etag) {
    void reply.code(304)
    return ''
  }
  if (
    answer.body.length < LEAST_GZIP_BYTES ||
    !/\bgzip\b(?!\s*;\s*q=0(?![.\d]))/.test(request.headers['accept-encoding'] ?? '')
  )
    return answer.body
  void reply.header('content-encoding', 'gzip').removeHeader('content-length')
  answer.gzipped ??= promisify(gzip)(answer.body, { level: constants.Z_BEST_SPEED })
  return await answer.gzipped
}

/** Of those who get the same answer; null: this one is for the caller alone. */
function sharedRole({ method, routeOptions, caller }: FastifyRequest): string | null {
  if (method !== 'GET' || !SHARED.has(routeOptions.url ?? '')) return null
  return caller === null || caller.role === 'user' ? null : caller.role
}
