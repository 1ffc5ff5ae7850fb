import { useEffect, useState } from 'react'
import type { ClientsXmlCheck } from '../../broker/api/clients-xml.js'
import { api, ApiError } from '../api/client.js'

/** What somebody has typed and not saved; `base`: the text that they began with, and its name. */
export interface Draft {
  readonly base: string
  readonly etag: string
  readonly text: string
}

const KEPT = 'berth-clients-xml'
const REST_MS = 400

/** Outlives a reload of this window, and nothing else. */
export function useDraft(): [Draft | null, (draft: Draft | null) => void] {
  const [draft, setDraft] = useState<Draft | null>(
    () => JSON.parse(sessionStorage.getItem(KEPT) ?? 'null') as Draft | null,
  )
  const keep = (next: Draft | null): void => {
    if (next === null) sessionStorage.removeItem(KEPT)
    else sessionStorage.setItem(KEPT, JSON.stringify(next))
    setDraft(next)
  }
  return [draft, keep]
}

export interface Checked {
  readonly of: string
  readonly answer: ClientsXmlCheck | null
  readonly error: ApiError | null
}

/** What the broker says of a text, a moment after the last key; an earlier question is given up. */
export function useCheck(text: string): Checked | null {
  const [checked, setChecked] = useState<Checked | null>(null)
  useEffect(() => {
    const stop = new AbortController()
    const timer = setTimeout(() => {
      api<ClientsXmlCheck>('POST', '/clients-xml/check', {
        body: { text },
        signal: stop.signal,
        background: true,
      }).then(
        (answer) => {
          setChecked({ of: text, answer, error: null })
        },
        (error: unknown) => {
          if (!stop.signal.aborted && error instanceof ApiError)
            setChecked({ of: text, answer: null, error })
        },
      )
    }, REST_MS)
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [text])
  return checked
}
