import type RFB from '@novnc/novnc'

/**
 * fit: as large as the window; actual: dot for dot; resize: the guest is asked to take the window's
 * size, and what remains is fitted.
 */
export const SCALINGS = ['fit', 'actual', 'resize'] as const
export type Scaling = (typeof SCALINGS)[number]
const CHOSEN = 'berth-console-scaling'

export function chosenScaling(): Scaling {
  return SCALINGS.find((one) => one === localStorage.getItem(CHOSEN)) ?? 'fit'
}
export function chooseScaling(scaling: Scaling): void {
  localStorage.setItem(CHOSEN, scaling)
}

export function scale(rfb: RFB, scaling: Scaling): void {
  rfb.scaleViewport = scaling !== 'actual'
  rfb.resizeSession = scaling === 'resize'
}
