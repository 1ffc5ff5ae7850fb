import { useCallback, useEffect, useRef, useState } from 'react'
import type { ClaimAnswer, Desktop } from '../../broker/api/assignments.js'
import type { Offer } from '../../broker/api/offers.js'
import { api, ApiError, path } from '../api/client.js'
import { queryClient } from '../api/queries.js'
import { asApiError } from './as-api-error.js'
import { forgetAsked, isAsked, noteAsked } from './asked.js'

export const OFFERS = '/desktops/offers'
export const OFFERS_TOPICS = [
  'desktops',
  'pools',
  'machines',
  'sessions',
  'grants',
  'hypervisors',
] as const

/** The broker answers when there is something to say, at the latest after this; asking keeps the place in the queue. */
const WAIT_MS = 50_000
/** Until it is asked again after the broker did not answer, as when it is restarted; the frame says so meanwhile. */
const LINE_BROKE_MS = 2_000
const PASSING: readonly string[] = ['no_connection', 'shutting_down']

/** since: when it was asked for; queue: their place, and when the next may become free. */
export interface Getting {
  readonly since: number
  readonly queue: ClaimAnswer['queue']
}
export interface GetDesktop {
  readonly getting: Getting | null
  readonly error: ApiError | null
  get(): void
  leave(): void
  forget(): void
}

/**
 * Gets a desktop of a pool: claims, waits in the queue if it must, until it can be opened; then
 * `onReady`. What happens meanwhile is in the offer, by push. A place in the queue that they have
 * already, as after a reload, is kept by itself.
 */
export function useGetDesktop(offer: Offer, onReady: (desktop: Desktop) => void): GetDesktop {
  const { name } = offer
  const { getting, error, setError, begin, stop } = useClaiming(name, onReady)

  const waits = offer.kind === 'pool' && offer.queue !== null && offer.desktop === null
  useEffect(() => {
    if (waits) begin(isAsked(name))
  }, [waits, begin, name])
  useEffect(() => stop, [stop])

  const leave = (): void => {
    stop()
    forgetAsked(name)
    api('DELETE', path`/pools/${name}/claim`)
      .catch((fault: unknown) => {
        if (fault instanceof ApiError) setError(fault)
      })
      .finally(() => {
        void queryClient.invalidateQueries({ queryKey: ['get', OFFERS] })
      })
  }
  return {
    getting,
    error,
    get: () => {
      begin(true)
    },
    leave,
    forget: () => {
      setError(null)
    },
  }
}

/** One claim at a time. `begin(andOpen)`: `onReady` is told when they asked for it to be opened. */
function useClaiming(pool: string, onReady: (desktop: Desktop) => void) {
  const [getting, setGetting] = useState<Getting | null>(null)
  const [error, setError] = useState<ApiError | null>(null)
  const running = useRef<AbortController | null>(null)
  const ready = useRef(onReady)
  ready.current = onReady

  const begin = useCallback(
    (andOpen: boolean): void => {
      if (running.current) return
      const mine = new AbortController()
      running.current = mine
      setError(null)
      setGetting({ since: Date.now(), queue: null })
      if (andOpen) noteAsked(pool)
      claimUntilReady(pool, mine.signal, (queue) => {
        setGetting((now) => now && { ...now, queue })
      })
        .then(
          (desktop) => {
            if (desktop && andOpen) ready.current(desktop)
          },
          (fault: unknown) => {
            if (!mine.signal.aborted) setError(asApiError(fault))
          },
        )
        .finally(() => {
          if (!mine.signal.aborted) forgetAsked(pool)
          if (running.current === mine || running.current === null) setGetting(null)
          if (running.current === mine) running.current = null
          void queryClient.invalidateQueries({ queryKey: ['get', OFFERS] })
        })
    },
    [pool],
  )
  const stop = useCallback((): void => {
    running.current?.abort()
    running.current = null
  }, [])
  return { getting, error, setError, begin, stop }
}

/**
 * Null: it was given up. Throws ApiError; a line that broke is none, since their place in the queue
 * is kept a while.
 */
async function claimUntilReady(
  pool: string,
  signal: AbortSignal,
  onQueue: (queue: ClaimAnswer['queue']) => void,
): Promise<Desktop | null> {
  // The first answer comes at once, so that a place in the queue is shown; each later one when something has changed.
  for (let waitMs = 0; !signal.aborted;) {
    const answer = await claim(pool, waitMs, signal)
    if (answer === null) {
      await new Promise((resolve) => {
        setTimeout(resolve, LINE_BROKE_MS)
      })
      continue
    }
    waitMs = WAIT_MS
    onQueue(answer.queue)
    if (answer.desktop && answer.desktop.phase !== 'preparing') return answer.desktop
  }
  return null
}

/** Null: the broker could not be asked. */
async function claim(
  pool: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<ClaimAnswer | null> {
  try {
    return await api<ClaimAnswer>('POST', path`/pools/${pool}/claim`, {
      body: { wait: true, waitMs },
      signal,
    })
  } catch (error) {
    if (error instanceof ApiError && PASSING.includes(error.code)) return null
    throw error
  }
}
