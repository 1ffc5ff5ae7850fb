import { useCallback, useEffect, useRef, useState } from 'react'
import type { ClaimAnswer, Desktop } from '../../broker/api/assignments.js'
import type { Offer } from '../../broker/api/offers.js'
import { api, ApiError, path } from '../api/client.js'
import { queryClient } from '../api/queries.js'

export const OFFERS = '/desktops/offers'

/** The broker answers when there is something to say, at the latest after this; asking keeps the place in the queue. */
const WAIT_MS = 50_000

/** since: when it was asked for; queue: his place, and when the next may become free. */
export interface Getting { readonly since: number, readonly queue: ClaimAnswer['queue'] }
export interface GetDesktop { readonly getting: Getting | null, readonly error: ApiError | null, get (): void, leave (): void, forget (): void }

/**
 * Gets a desktop of a pool: claims, waits in the queue if it must, until it can be opened; then `onReady`. What happens meanwhile is in the offer, by push. A place
 * in the queue that he has already, as after a reload, is kept by itself.
 */
export function useGetDesktop (offer: Offer, onReady: (desktop: Desktop) => void): GetDesktop {
  const [getting, setGetting] = useState<Getting | null>(null)
  const [error, setError] = useState<ApiError | null>(null)
  const running = useRef<AbortController | null>(null)
  const ready = useRef(onReady)
  ready.current = onReady
  const { name } = offer

  const run = useCallback((andOpen: boolean): void => {
    if (running.current) return
    const stop = new AbortController()
    running.current = stop
    setError(null)
    setGetting({ since: Date.now(), queue: null })
    claimUntilReady(name, stop.signal, (queue) => { setGetting((now) => now && { ...now, queue }) }).then((desktop) => {
      if (desktop && andOpen) ready.current(desktop)
    }, (fault: unknown) => { if (!stop.signal.aborted) setError(fault instanceof ApiError ? fault : new ApiError(0, 'internal', String(fault))) }).finally(() => {
      if (running.current === stop || running.current === null) setGetting(null)
      if (running.current === stop) running.current = null
      void queryClient.invalidateQueries({ queryKey: ['get', OFFERS] })
    })
  }, [name])

  const waits = offer.kind === 'pool' && offer.queue !== null && offer.desktop === null
  useEffect(() => { if (waits) run(false) }, [waits, run])
  const stopNow = useCallback((): void => {
    running.current?.abort()
    running.current = null
  }, [])
  useEffect(() => stopNow, [stopNow])

  const leave = (): void => {
    stopNow()
    api('DELETE', path`/pools/${name}/claim`).catch((fault: unknown) => { if (fault instanceof ApiError) setError(fault) }).finally(() => { void queryClient.invalidateQueries({ queryKey: ['get', OFFERS] }) })
  }
  return { getting, error, get: () => { run(true) }, leave, forget: () => { setError(null) } }
}

/** Null: it was given up. Throws ApiError. */
async function claimUntilReady (pool: string, signal: AbortSignal, onQueue: (queue: ClaimAnswer['queue']) => void): Promise<Desktop | null> {
  // The first answer comes at once, so that a place in the queue is shown; each later one when something has changed.
  for (let waitMs = 0; !signal.aborted; waitMs = WAIT_MS) {
    const { desktop, queue } = await api<ClaimAnswer>('POST', path`/pools/${pool}/claim`, { body: { wait: true, waitMs }, signal })
    onQueue(queue)
    if (desktop && desktop.phase !== 'preparing') return desktop
  }
  return null
}
