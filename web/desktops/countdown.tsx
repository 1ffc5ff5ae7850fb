import type { ReactElement } from 'react'
import { useNow } from '../parts/when.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** `2 d 3 h`, `3:05 h`, `12:30`. Pure. `language`: for the words of days and hours. */
export function timeLeft(ms: number, language: string): string {
  const left = Math.max(0, ms)
  const unit = (value: number, name: 'day' | 'hour'): string =>
    new Intl.NumberFormat(language, { style: 'unit', unit: name, unitDisplay: 'short' }).format(
      value,
    )
  if (left >= DAY_MS)
    return `${unit(Math.floor(left / DAY_MS), 'day')} ${unit(Math.floor((left % DAY_MS) / HOUR_MS), 'hour')}`
  const seconds = Math.floor(left / 1_000)
  const two = (value: number): string => String(value).padStart(2, '0')
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60)]
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(seconds % 60)}`
    : `${minutes}:${two(seconds % 60)}`
}

/** Ticks here, by the clock of this computer; nothing is asked for it. */
export function Countdown({ to, language }: { to: string; language: string }): ReactElement {
  const now = useNow(1_000)
  return (
    <time
      className="berth-countdown"
      role="timer"
      dateTime={to}
      title={new Date(to).toLocaleString(language)}
    >
      {timeLeft(Date.parse(to) - now, language)}
    </time>
  )
}
