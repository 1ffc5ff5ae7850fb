import type { ReactElement } from 'react'
import type { Offer } from '../../broker/api/offers.js'

export type System = 'windows' | 'linux' | 'unknown'

const LINUX =
  /linux|debian|ubuntu|fedora|mint|suse|centos|alma|rocky|rhel|arch|gnome|kde|xfce|kubuntu|nix/i
const WINDOWS = /(^|[^a-z])win(dows)?([^a-z]|$)|windows/i

/** What runs there, as far as the names of pool, machine and image tell; nothing else is known of a guest. Pure. */
export function systemOf({ name, image }: Pick<Offer, 'name' | 'image'>): System {
  const words = `${name} ${image ?? ''}`
  return WINDOWS.test(words) ? 'windows' : LINUX.test(words) ? 'linux' : 'unknown'
}

const GLYPHS: Readonly<Record<System, ReactElement>> = {
  windows: (
    <path d="M15 13.6l7.4-1v6.6H15zM23.4 12.4L33 11v8.2h-9.6zM15 20.2h7.4v6.6l-7.4-1zM23.4 20.2H33v8.2l-9.6-1.4z" />
  ),
  linux: (
    <path
      d="M15 12.5l6.2 6-6.2 6M24 25.5h9"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.6"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
  ),
  unknown: <path d="M16 14h16v2.4H16zM16 19h12v2.4H16zM16 24h8v2.4h-8z" />,
}

/** A screen, lit while its machine runs; beside a name, so that it needs none of its own. */
export function SystemPicture({ system, lit }: { system: System; lit: boolean }): ReactElement {
  return (
    <svg
      className={`berth-system berth-system-${system}${lit ? ' berth-lit' : ''}`}
      viewBox="0 0 48 42"
      aria-hidden="true"
    >
      <rect className="berth-bezel" x="3" y="4" width="42" height="30" rx="3" />
      <rect className="berth-glass" x="5.5" y="6.5" width="37" height="25" rx="1.5" />
      <g className="berth-glyph">{GLYPHS[system]}</g>
      <path className="berth-bezel" d="M20 34h8l1.5 4h-11z" />
    </svg>
  )
}
