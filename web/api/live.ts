import type { Query } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { Change, Topic } from '../../broker/api/live.js'
import { lastDurationMs, queryClient, SESSION_KEY } from './queries.js'

/** A path is asked for again no sooner than this after the last time, and no sooner than several times what it took. */
const LEAST_GAP_MS = 500
const GAP_TIMES = 5

const due = new Map<string, ReturnType<typeof setTimeout>>()

/**
 * A browser gives up after an answer that is none of the stream's, such as that of a server before
 * the broker; then it is reopened.
 */
const REOPEN_MS = 3_000
/** The broker says something every 15 s: after this silence the line hangs, whatever the browser believes of it. */
const LONGEST_SILENCE_MS = 40_000
/**
 * A browser has six connections to a broker for all its tabs: one that nobody looks at gives its
 * own back, so that any number can be open.
 */
const HIDDEN_PATIENCE_MS = 5_000

/**
 * Keeps what is shown true by the broker's push, as long as somebody is logged in; `mark`: that of
 * their session, null: nobody is. Gives whether the line stands.
 */
export function useLive(mark: string | null): boolean {
  const [connected, setConnected] = useState(true)
  const isLoggedIn = mark !== null
  useEffect(() => {
    if (mark === null) return
    const line = new Line(setConnected, mark)
    return () => {
      line.end()
    }
  }, [isLoggedIn]) // a session that is looked at again has a newer mark, and the line has its own
  return connected
}

/** The stream of changes, for as long as somebody can see the page; it goes on where it was, so nothing is missed. */
class Line {
  #source: EventSource | null = null
  #mark: string
  #again: ReturnType<typeof setTimeout> | undefined
  #silence: ReturnType<typeof setTimeout> | undefined
  #rest: ReturnType<typeof setTimeout> | undefined
  #isLost = false

  /** `mark`: older than anything that is shown. */
  constructor(
    readonly tellConnected: (connected: boolean) => void,
    mark: string,
  ) {
    this.#mark = mark
    document.addEventListener('visibilitychange', this.#onVisibility)
    if (!document.hidden) this.#open()
  }

  end(): void {
    document.removeEventListener('visibilitychange', this.#onVisibility)
    this.#close()
  }

  readonly #onVisibility = (): void => {
    clearTimeout(this.#rest)
    if (document.hidden)
      this.#rest = setTimeout(() => {
        this.#close()
      }, HIDDEN_PATIENCE_MS)
    else if (this.#source === null) this.#open()
  }

  #open(): void {
    this.#close()
    // Within one stream the browser comes back by itself, and says what it has seen last; a new one
    // is told by its address.
    const source = new EventSource(`/api/v1/live?after=${this.#mark}`)
    this.#source = source
    this.#listen()
    source.addEventListener('open', () => {
      this.tellConnected(true)
      if (this.#isLost)
        void queryClient.invalidateQueries({ predicate: ({ state }) => state.status === 'error' })
      this.#isLost = false
    })
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) this.#broke()
      else this.#lost()
    })
    for (const kind of ['hello', 'still', 'change'] as const) {
      source.addEventListener(kind, (event: MessageEvent<string>) => {
        this.#listen()
        if (event.lastEventId !== '') this.#mark = event.lastEventId
        if (kind === 'change') lookAgain((JSON.parse(event.data) as Change).topics)
      })
    }
    source.addEventListener('end', () => {
      this.#close()
      queryClient.setQueryData(SESSION_KEY, null)
    })
  }

  #listen(): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => {
      this.#broke()
    }, LONGEST_SILENCE_MS)
  }

  #lost(): void {
    this.#isLost = true
    this.tellConnected(false)
  }

  /** It does not come back by itself. Maybe the login is over: then the question for it shows that. */
  #broke(): void {
    this.#close()
    this.#lost()
    void queryClient.invalidateQueries({ queryKey: SESSION_KEY })
    this.#again = setTimeout(() => {
      this.#open()
    }, REOPEN_MS)
  }

  #close(): void {
    for (const timer of [this.#again, this.#silence, this.#rest]) clearTimeout(timer)
    this.#source?.close()
    this.#source = null
  }
}

/** Asks again for all that is shown of these topics; what is not shown now is asked for when it is shown. */
function lookAgain(topics: readonly Topic[]): void {
  for (const query of queryClient
    .getQueryCache()
    .getAll()
    .filter(({ meta }) => meta?.topics?.some((topic) => topics.includes(topic)) === true)) {
    if (query.isActive()) schedule(query)
    else query.invalidate()
  }
}

function schedule(query: Query): void {
  const { queryHash, queryKey, state } = query
  if (due.has(queryHash)) return
  const gap = Math.max(LEAST_GAP_MS, GAP_TIMES * lastDurationMs(String(queryKey[1])))
  const wait =
    state.fetchStatus === 'fetching' ? gap : Math.max(0, state.dataUpdatedAt + gap - Date.now())
  due.set(
    queryHash,
    setTimeout(() => {
      due.delete(queryHash)
      // What is being asked for may be older than the change: it is asked for again afterwards, and
      // not given up, or a slow answer would never come.
      if (query.state.fetchStatus === 'fetching') schedule(query)
      else void queryClient.invalidateQueries({ queryKey, exact: true })
    }, wait),
  )
}
