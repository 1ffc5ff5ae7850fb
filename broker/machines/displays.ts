import type { PowerState } from '../api/machines.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'
import type { Look } from '../occupancy/occupancy.js'

export interface Machine {
  readonly id: string
  readonly name: string
  readonly power: PowerState
}

/** States in which there is no QEMU, and so nobody at its display. */
const WITHOUT_QEMU: readonly PowerState[] = ['off', 'missing']

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

/** Who is connected to each of the machines; those without a QEMU have nobody. */
export async function lookAtDisplays(
  link: HypervisorLink,
  machines: readonly Machine[],
  timeoutMs: number,
): Promise<Map<string, Look>> {
  const asked = machines.filter(hasQemu)
  const { items } =
    asked.length === 0
      ? { items: [] }
      : await link.request<{ items: DisplayItem[] }>(
          'displays',
          { domains: asked.map(({ name }) => name), timeout_ms: timeoutMs },
          { timeoutMs: timeoutMs * WHOLE_FACTOR + REQUEST_MARGIN_MS },
        )
  const byName = new Map(items.map((item) => [item.name, lookOf(item)]))
  return new Map(machines.map(({ id, name }) => [id, byName.get(name) ?? { viewers: [] }]))
}

export function hasQemu({ power }: Machine): boolean {
  return !WITHOUT_QEMU.includes(power)
}

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
