import { LiveQuery, type Topic } from '../api/live.js'
import { type App, callerOf, route } from '../http.js'
import { beginEvents } from '../security-headers.js'
import type { Changes } from './changes.js'
import type { Streams } from './streams.js'

export interface LiveDeps {
  readonly changes: Changes
  readonly streams: Streams
}

/** One page hears of changes no more often than this. */
const LEAST_GAP_MS = 250
/** How long a browser waits before it comes back. */
const RETRY_MS = 2_000

/** The push by which pages stay true: no page asks again and again. */
export function liveRoutes({ changes, streams }: LiveDeps) {
  return (app: App): void => {
    app.get(
      '/live',
      route('What has changed, as server-sent events', { querystring: LiveQuery }),
      async (request, reply) => {
        const write = (text: string): void => {
          reply.raw.write(text)
        }
        const leave = streams.open(callerOf(request), {
          request,
          still: () => {
            write('event: still\ndata: {}\n\n')
          },
          end: () => {
            reply.raw.end('event: end\ndata: {}\n\n')
          },
        })
        const gone = new Promise<void>((resolve) => {
          reply.raw.on('close', resolve)
        })
        beginEvents(request, reply)
        const seen = String(request.headers['last-event-id'] ?? request.query.after ?? '')
        const stop = follow(changes, seen, write)
        await gone
        leave()
        stop()
      },
    )
  }
}

/** Writes what changed after the mark `seen`, and then what changes. Gives the function that ends it. */
function follow(changes: Changes, seen: string, write: (text: string) => void): () => void {
  let told = seen === '' ? changes.mark : seen
  let due: NodeJS.Timeout | undefined
  const tell = (): void => {
    due = undefined
    const topics: readonly Topic[] = changes.since(told)
    told = changes.mark
    if (topics.length > 0)
      write(`id: ${told}\nevent: change\ndata: ${JSON.stringify({ topics })}\n\n`)
  }
  write(`retry: ${RETRY_MS}\nid: ${told}\nevent: hello\ndata: {}\n\n`)
  tell()
  const unsubscribe = changes.subscribe(() => {
    due ??= setTimeout(tell, LEAST_GAP_MS)
  })
  return () => {
    clearTimeout(due)
    unsubscribe()
  }
}
