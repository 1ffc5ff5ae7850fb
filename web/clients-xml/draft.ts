import { useEffect, useState } from 'react'
import { useLocation, useNavigate } from 'react-router'
import type { ClientsXmlCheck, ClientsXmlState } from '../../broker/api/clients-xml.js'
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
function useDraft(): [Draft | null, (draft: Draft | null) => void] {
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

export interface Editing {
  /** What is in the editor. */
  readonly text: string
  readonly draft: Draft | null
  readonly isChanged: boolean
  /** The file was saved by somebody else after the draft was begun. */
  readonly isOvertaken: boolean
  type(text: string): void
  /** Goes back to the file. */
  drop(): void
  /** Keeps the draft, which will replace what was saved meanwhile. */
  overwrite(): void
}

/** The draft upon the file: what was kept, or what is restored from the history. */
export function useEditing({ text: saved, etag }: ClientsXmlState): Editing {
  const [kept, setDraft] = useDraft()
  const navigate = useNavigate()
  const restored = (useLocation().state as { text?: string } | null)?.text
  const fromHistory = restored === undefined ? null : { base: saved, etag, text: restored }
  const draft = kept ?? fromHistory
  const isChanged = draft !== null && draft.text !== saved
  return {
    text: draft?.text ?? saved,
    draft,
    isChanged,
    isOvertaken: isChanged && draft.etag !== etag,
    type: (text) => {
      setDraft({ base: draft?.base ?? saved, etag: draft?.etag ?? etag, text })
    },
    drop: () => {
      setDraft(null)
      // What was taken from the history would be the draft again after a reload.
      void navigate('.', { replace: true, state: null })
    },
    overwrite: () => {
      if (draft) setDraft({ ...draft, base: saved, etag })
    },
  }
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

export type Result =
  | { readonly is: 'checking' }
  | { readonly is: 'good'; readonly clients: number }
  | { readonly is: 'bad'; readonly errors: number }

/** What is known of this text; what was said of an earlier one is nothing. Pure. */
export function resultOf(text: string, checked: Checked | null): Result {
  if (checked?.of !== text) return { is: 'checking' }
  const { accepted = false, clients = 0, faults = [] } = checked.answer ?? {}
  if (accepted) return { is: 'good', clients: clients ?? 0 }
  return { is: 'bad', errors: faults.filter(({ severity }) => severity === 'error').length }
}
