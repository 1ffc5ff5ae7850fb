import type RFB from '@novnc/novnc'
import { useEffect, useRef, useState } from 'react'
import type { Screen as Ticket } from '../../broker/api/consoles.js'
import { chosenScaling, type Scaling, scale } from './scaling.js'
import { Screen, type ScreenState } from './screen.js'

/** What one may do on a screen as it is now. `keys`: where keys go; null: they only look, or there is none. Pure. */
export function allowedOn(
  state: ScreenState,
  rfb: RFB | null,
): {
  readonly keys: RFB | null
  readonly mayPaste: boolean
  readonly viewOnly: boolean
  readonly taken: Ticket['taken'] | null
} {
  if (state.is !== 'open') return { keys: null, mayPaste: false, viewOnly: false, taken: null }
  const { viewOnly, clipboard, taken } = state.ticket
  return { keys: viewOnly ? null : rfb, mayPaste: clipboard && !viewOnly, viewOnly, taken }
}

export function useScaling(rfb: RFB | null): {
  readonly scaling: Scaling
  readonly setScaling: (scaling: Scaling) => void
} {
  const [scaling, setScaling] = useState<Scaling>(chosenScaling)
  useEffect(() => {
    if (rfb) scale(rfb, scaling)
  }, [rfb, scaling])
  return { scaling, setScaling }
}

/** A screen that opens in the place where the focus is takes it, so that one can type; it is called by its name. */
export function useFocusOnScreen(
  rfb: RFB | null,
  target: { readonly current: HTMLDivElement | null },
  name: string,
): void {
  useEffect(() => {
    const canvas = target.current?.querySelector('canvas')
    canvas?.setAttribute('role', 'application')
    canvas?.setAttribute('aria-label', name)
  }, [rfb, target, name])
  useEffect(() => {
    if (document.activeElement?.tagName === 'MAIN') rfb?.focus()
  }, [rfb])
}

/** The screen, for as long as the page shows it. `connected`: the broker answers. */
export function useScreen(
  machine: string,
  watch: boolean,
  target: { readonly current: HTMLDivElement | null },
  connected: boolean,
): { state: ScreenState; rfb: RFB | null; again: () => void; take: () => void } {
  const [now, setNow] = useState<{ state: ScreenState; rfb: RFB | null }>({
    state: { is: 'connecting' },
    rfb: null,
  })
  const screen = useRef<Screen | null>(null)
  useEffect(() => {
    if (!target.current) return
    const opened = new Screen(target.current, machine, { watch }, (state, rfb) => {
      setNow({ state, rfb })
    })
    screen.current = opened
    opened.connect()
    // A computer that was away from the network does not wait for the next try.
    const online = (): void => {
      opened.hurry()
    }
    window.addEventListener('online', online)
    return () => {
      window.removeEventListener('online', online)
      opened.close()
    }
  }, [machine, watch, target])
  useEffect(() => {
    if (connected) screen.current?.hurry()
  }, [connected, screen])
  return {
    ...now,
    again: () => {
      screen.current?.connect()
    },
    take: () => {
      screen.current?.connect(true)
    },
  }
}
