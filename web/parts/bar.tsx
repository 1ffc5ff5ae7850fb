import type { ReactElement } from 'react'
import './bar.css'

/** From this share on a thing is nearly full. */
const NEARLY_FULL = 0.9

/** How much of something is used: a bar with the figures as words beside it. */
export function Bar({
  label,
  used,
  total,
  text,
}: {
  label: string
  used: number
  total: number
  text: (amount: number) => string
}): ReactElement {
  const share = total <= 0 ? 0 : Math.min(1, Math.max(0, used / total))
  const words = `${text(used)} / ${text(total)}`
  return (
    <span className="berth-bar">
      <span
        className="berth-bar-track"
        role="meter"
        aria-label={label}
        aria-valuenow={Math.round(share * 100)}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuetext={words}
      >
        <span
          className={`berth-bar-fill${share >= NEARLY_FULL ? ' berth-bar-full' : ''}`}
          style={{ inlineSize: `${share * 100}%` }}
        />
      </span>
      <span className="berth-bar-words">{words}</span>
    </span>
  )
}
