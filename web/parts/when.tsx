import { type ReactElement, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

const STEPS: ReadonlyArray<readonly [Intl.RelativeTimeFormatUnit, number]> = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
]

/** The time now, again every `everyMs` while the page is seen; nothing is asked of the broker for it. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now())
    }, everyMs)
    return () => {
      clearInterval(timer)
    }
  }, [everyMs])
  return now
}

/** `3 minutes ago`, `in 2 hours`; the instant itself when one points at it. */
export function When({ at }: { at: string | null }): ReactElement {
  const { i18n } = useTranslation()
  const now = useNow(20_000)
  if (at === null) return <>–</>
  return (
    <time dateTime={at} title={new Date(at).toLocaleString(i18n.language)}>
      {relative(i18n.language, Date.parse(at) - now)}
    </time>
  )
}

function relative(language: string, ms: number): string {
  const [unit, size] = STEPS.find(([, length]) => Math.abs(ms) >= length) ?? ['second', 1_000]
  return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(
    Math.round(ms / size),
    unit,
  )
}

/** An instant in full. */
export function Instant({ at }: { at: string | null }): ReactElement {
  const { i18n } = useTranslation()
  return at === null ? (
    <>–</>
  ) : (
    <time dateTime={at}>
      {new Date(at).toLocaleString(i18n.language, { dateStyle: 'medium', timeStyle: 'medium' })}
    </time>
  )
}
