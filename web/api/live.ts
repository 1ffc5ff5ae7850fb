import type { Query } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { Change, Topic } from '../../broker/api/live.js'
import { lastDurationMs, queryClient, SESSION_KEY } from './queries.js'

/** A path is asked for again no sooner than this after the last time, and no sooner than several times what it took. */
const LEAST_GAP_MS = 500
const GAP_TIMES = 5

const due = new Map<string, ReturnType<typeof setTimeout>>()

/** A browser gives up after an answer that is none of the stream's, such as that of a server before the broker; then it is opened anew. */
const REOPEN_MS = 3_000

/** Keeps what is shown true by the broker's push, as long as somebody is logged in. Gives whether the line stands. */
export function useLive (loggedIn: boolean): boolean {
  const [connected, setConnected] = useState(true)
  useEffect(() => loggedIn ? followChanges(setConnected) : undefined, [loggedIn])
  return connected
}

/** Gives the function that ends it. */
function followChanges (tellConnected: (connected: boolean) => void): () => void {
  let source: EventSource
  let again: ReturnType<typeof setTimeout> | undefined
  const open = (missed: boolean): void => {
    // The browser comes back by itself, and says what it has seen last.
    source = new EventSource('/api/v1/live')
    let lost = false
    source.addEventListener('open', () => {
      tellConnected(true)
      // A stream that was opened anew does not know what was told meanwhile.
      if (missed) void queryClient.invalidateQueries({ queryKey: ['get'] })
      else if (lost) void queryClient.invalidateQueries({ predicate: ({ state }) => state.status === 'error' })
      missed = lost = false
    })
    source.addEventListener('error', () => {
      lost = true
      tellConnected(false)
      if (source.readyState !== EventSource.CLOSED) return
      // Maybe the login is over: then this shows it.
      void queryClient.invalidateQueries({ queryKey: SESSION_KEY })
      again = setTimeout(() => { open(true) }, REOPEN_MS)
    })
    source.addEventListener('change', (event: MessageEvent<string>) => { lookAgain((JSON.parse(event.data) as Change).topics) })
    source.addEventListener('end', () => {
      source.close()
      queryClient.setQueryData(SESSION_KEY, null)
    })
  }
  open(false)
  return () => {
    clearTimeout(again)
    source.close()
  }
}

/** Asks again for all that is shown of these topics; what is not shown now is asked for when it is shown. */
function lookAgain (topics: readonly Topic[]): void {
  for (const query of queryClient.getQueryCache().getAll().filter(({ meta }) => meta?.topics?.some((topic) => topics.includes(topic)) === true)) {
    if (query.isActive()) schedule(query as Query)
    else query.invalidate()
  }
}

function schedule (query: Query): void {
  const { queryHash, queryKey, state } = query
  if (due.has(queryHash)) return
  const gap = Math.max(LEAST_GAP_MS, GAP_TIMES * lastDurationMs(String(queryKey[1])))
  const wait = state.fetchStatus === 'fetching' ? gap : Math.max(0, state.dataUpdatedAt + gap - Date.now())
  due.set(queryHash, setTimeout(() => {
    due.delete(queryHash)
    // What is being asked for may be older than the change: it is asked for again afterwards, and not given up, or a slow answer would never come.
    if (query.state.fetchStatus === 'fetching') schedule(query)
    else void queryClient.invalidateQueries({ queryKey, exact: true })
  }, wait))
}
