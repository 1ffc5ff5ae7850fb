import type { DeviceOrder } from '../broker/api/device-orders.js'
import type { Next, State, Step } from './policy-contract.js'
import { REPORT_EVERY_MS } from './policy-times.js'

/** So many orders are remembered. */
const MOST_TAKEN = 50

export function ask(state: State): Next {
  // A new note is said at once; only a device that waits for a change lets the broker hold the question.
  const waitMs = state.mark === undefined ? 0 : state.longPollMs
  return {
    state: { ...state, phase: 'asking' },
    steps: [{ do: 'ask', have: state.mark, waitMs, note: state.note, ended: state.ended }],
  }
}

/**
 * The report of what runs is held by the broker until there is a notice: the next one follows it,
 * also when it failed.
 */
export function reportOf(state: State): Step {
  return {
    do: 'report',
    showing: 'what-runs',
    run: state.run,
    have: state.notice,
    waitMs: REPORT_EVERY_MS,
  }
}

/** To reconnect is already done by a device that shows nothing: it has just asked. */
export function obedience(order: DeviceOrder | undefined): Step[] {
  return order === undefined ? [] : [{ do: 'obey', order }]
}

export function withTaken({ taken }: State, order: DeviceOrder | undefined): readonly string[] {
  return order === undefined || taken.includes(order.id)
    ? taken
    : [...taken, order.id].slice(-MOST_TAKEN)
}

export function stay(state: State): Next {
  return { state, steps: [] }
}
