import type { DeviceOrder } from '../../broker/api/device-orders.js'
import { DEFAULT_VIEWER_OPTIONS } from '../../broker/api/thin-clients.js'
import type { AgentEvent, State, Step } from '../../thin-client/policy-contract.js'
import { firstState } from '../../thin-client/policy.js'
import { SPICE } from './answers.js'

export const fresh = firstState(false)
export const idle: State = { ...fresh, ended: false }
export const asking: State = { ...idle, phase: 'asking' }
export const showing: State = { ...idle, phase: 'showing', run: 1 }
export const ask: Extract<Step, { do: 'ask' }> = {
  do: 'ask',
  have: undefined,
  waitMs: 0,
  note: undefined,
  ended: false,
}
export const ended = (ok: boolean, ranMs: number): AgentEvent => ({
  type: 'viewer-ended',
  ok,
  ranMs,
  sentence: 'It ended.',
})
export const launch: Step = { do: 'launch', console: SPICE, viewer: DEFAULT_VIEWER_OPTIONS }
export const nextReport: Step = {
  do: 'report',
  showing: 'what-runs',
  run: 1,
  have: undefined,
  waitMs: 60_000,
}
export const NOTICE = { id: 'n1', sentence: 'It ends soon.', takenAt: '2026-11-21T18:00:00.000Z' }
export const quiet = { notice: null, over: null }
export const MESSAGE: DeviceOrder = { id: 'o1', kind: 'message', text: 'Hello.', seconds: 60 }
export const RECONNECT: DeviceOrder = { ...MESSAGE, id: 'o2', kind: 'reconnect', text: '' }
export const show = (sentence: string): Step => ({ do: 'show', sentence })
export const nothing: Step = { do: 'report', showing: 'nothing' }

/** One decision: in which state, upon which event; what becomes of the state, and what is to be done. */
export interface Row {
  readonly when: string
  readonly state: State
  readonly event: AgentEvent
  readonly random?: number
  readonly becomes: Partial<State>
  readonly steps: readonly Step[]
}
