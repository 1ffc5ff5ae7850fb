import type { SCREEN_CLOSES, ScreenClose } from '../../broker/api/consoles.js'

/**
 * The broker's table of closes, held equal to it by its type: the table itself would bring a
 * validator into the page.
 */
export const ENDS: {
  readonly [Why in ScreenClose]: Pick<(typeof SCREEN_CLOSES)[Why], 'code' | 'again'>
} = {
  ended: { code: 4000, again: true },
  badTicket: { code: 4001, again: false },
  taken: { code: 4002, again: false },
  over: { code: 4003, again: false },
  machineOff: { code: 4004, again: false },
  hostAway: { code: 4005, again: true },
  refused: { code: 4006, again: false },
  unreachable: { code: 4007, again: false },
  tooMany: { code: 4008, again: false },
  stopping: { code: 4009, again: true },
}
/** network: the line broke without a word. */
export type End = ScreenClose | 'network'

/** Why the socket was closed; a code that is none of the broker's is a line that broke. Pure. */
export function endOf(code: number): End {
  return (Object.keys(ENDS) as ScreenClose[]).find((why) => ENDS[why].code === code) ?? 'network'
}

/** Whether it is tried again by itself. Pure. */
export function comesBack(end: End): boolean {
  return end === 'network' || ENDS[end].again
}

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 15_000

/**
 * How long to wait before the next try: twice as long each time, with some chance in it, so that
 * many pages do not come at once. `chance`: from 0 to 1. Pure.
 */
export function waitBefore(tries: number, chance: number): number {
  return Math.min(FIRST_WAIT_MS * 2 ** Math.min(tries, 10), LONGEST_WAIT_MS) * (0.75 + chance / 2)
}
