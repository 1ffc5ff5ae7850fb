import { type ReactElement, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Machine } from '../../broker/api/machines.js'
import { path } from '../api/client.js'

/** The broker makes no more pictures than one in this time; asking more often would show the same one. */
const REFRESH_MS = 10_000

/**
 * A small picture of a machine's screen. It is asked for again by time, and only while it is seen
 * and the machine runs: the broker cannot know that a screen has changed, so this is the one thing
 * of these pages that is not kept true by push.
 */
export function Thumbnail({
  machine: { name, power },
}: {
  machine: Pick<Machine, 'name' | 'power'>
}): ReactElement {
  const { t } = useTranslation()
  const place = useRef<HTMLDivElement>(null)
  const seen = useSeen(place)
  const url = usePicture(name, seen && power === 'running')
  return (
    <div ref={place} className="berth-thumbnail">
      {url !== null && power === 'running' ? (
        <img src={url} alt={t('machines.screenOf', { name })} />
      ) : (
        <span>{power === 'running' ? t('machines.noPicture') : t(`machines.powers.${power}`)}</span>
      )}
    </div>
  )
}

function useSeen(place: React.RefObject<HTMLElement>): boolean {
  const [seen, setSeen] = useState(false)
  useEffect(() => {
    if (!place.current) return
    const watcher = new IntersectionObserver((entries) => {
      setSeen(entries.at(-1)?.isIntersecting === true)
    })
    watcher.observe(place.current)
    return () => {
      watcher.disconnect()
    }
  }, [place])
  return seen
}

/** The newest picture as an address of this page's own; null until there is one. */
function usePicture(name: string, wanted: boolean): string | null {
  const [url, setUrl] = useState<string | null>(null)
  useEffect(() => {
    if (!wanted) return
    const gone = new AbortController()
    const load = async (): Promise<void> => {
      const response = await fetch(`/api/v1${path`/machines/${name}/thumbnail`}`, {
        credentials: 'same-origin',
        signal: gone.signal,
        headers: { 'x-berth-background': '1' },
      })
      if (response.status === 403) clearInterval(timer) // they may not see it, and hear the same each time
      setUrl(response.ok ? URL.createObjectURL(await response.blob()) : null)
    }
    const ask = (): void => {
      if (!document.hidden)
        load().catch(() => {
          if (!gone.signal.aborted) setUrl(null)
        })
    }
    const timer = setInterval(ask, REFRESH_MS)
    ask()
    return () => {
      gone.abort()
      clearInterval(timer)
    }
  }, [name, wanted])
  useEffect(
    () => () => {
      if (url !== null) URL.revokeObjectURL(url)
    },
    [url],
  )
  return url
}
