export interface ServerSentEvent {
  readonly event: string
  readonly data: string
}

/** More than any job: 1,000 targets are about 200 KiB. */
const LONGEST_EVENT = 16 * 1024 * 1024

/**
 * Reads `event:` and `data:` of a text/event-stream (WHATWG HTML, 9.2). Comments, ids and retry
 * times are of no use here and skipped.
 */
export async function* readServerSentEvents(
  chunks: AsyncIterable<string>,
): AsyncGenerator<ServerSentEvent> {
  let rest = ''
  let event = ''
  let data: string[] = []
  for await (const chunk of chunks) {
    rest += chunk
    if (rest.length > LONGEST_EVENT) throw new Error('an event is longer than 16 MiB')
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0)
          yield { event: event === '' ? 'message' : event, data: data.join('\n') }
        event = ''
        data = []
      } else if (line.startsWith('event:')) event = valueOf(line)
      else if (line.startsWith('data:')) data.push(valueOf(line))
    }
  }
}

function valueOf(line: string): string {
  return line.slice(line.indexOf(':') + 1).replace(/^ /, '')
}
