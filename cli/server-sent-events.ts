import { createParser } from 'eventsource-parser'

export interface ServerSentEvent {
  readonly event: string
  readonly data: string
}

/** More than any job: 1,000 targets are about 200 KiB. */
const LONGEST_EVENT = 16 * 1024 * 1024

/**
 * Reads `event:` and `data:` of a text/event-stream (WHATWG HTML, 9.2). Comments, ids and retry
 * times are of no use here and skipped. Throws when an event is longer than 16 MiB.
 */
export async function* readServerSentEvents(
  chunks: AsyncIterable<string>,
): AsyncGenerator<ServerSentEvent> {
  let arrived: ServerSentEvent[] = []
  let isTooLong = false
  const parser = createParser({
    maxBufferSize: LONGEST_EVENT,
    onEvent: ({ event = 'message', data }) => {
      arrived.push({ event, data })
    },
    onError: ({ type }) => {
      isTooLong ||= type === 'max-buffer-size-exceeded'
    },
  })
  for await (const chunk of chunks) {
    parser.feed(chunk)
    if (isTooLong) throw new Error('an event is longer than 16 MiB')
    yield* arrived
    arrived = []
  }
}
