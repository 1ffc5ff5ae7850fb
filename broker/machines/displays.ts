import type { Look } from '../occupancy/occupancy.js'

/**
 * Who is connected to the displays of a machine, as its QEMU says, or why it does not say
 * (hypervisor-scripts/helper/displays.py).
 */
export type DisplayItem =
  | {
      readonly name: string
      readonly spice: ReadonlyArray<{ readonly address: string }>
      readonly vnc: ReadonlyArray<{ readonly address: string; readonly family?: string }>
      readonly error?: undefined
    }
  | { readonly name: string; readonly error: { readonly code: string; readonly message: string } }

/** The helper may take so many times as long for all as for one. */
export const WHOLE_FACTOR = 4
/** From the request to its answer, beside what QEMU takes. */
export const REQUEST_MARGIN_MS = 5_000

/** What one domain's answer comes to. */
export function lookOf(item: DisplayItem): Look {
  return item.error === undefined
    ? { viewers: displayViewers(item) }
    : { fault: item.error.message }
}

/**
 * Addresses at which QEMU has viewers. Those on the VNC display's own socket are the broker's,
 * which knows more of them.
 */
export function displayViewers({
  spice,
  vnc,
}: Extract<DisplayItem, { error?: undefined }>): string[] {
  return [...spice, ...vnc.filter(({ family }) => family !== 'unix')].map(({ address }) => address)
}
