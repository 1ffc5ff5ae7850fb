import type { DeviceOrder } from '../broker/api/device-orders.js'
import type { AskAnswer, Console, ReportAnswer, ReportRequest } from '../broker/api/thin-clients.js'
import type { ViewerOptions } from '../broker/api/thin-clients.js'
import type { Form } from './login-form.js'

/**
 * asking: a question is under way. pausing: waits before the next one. showing: a viewer runs.
 * stopping: the viewer is being ended. ended: over.
 */
export type Phase = 'asking' | 'pausing' | 'showing' | 'stopping' | 'ended'
export type Showing = ReportRequest['showing']

export interface State {
  readonly phase: Phase
  /** With --once: end after the first viewer. */
  readonly once: boolean
  /** Names the last answer, so that the broker can hold the next question until something changes. */
  readonly mark: string | undefined
  /** A trouble of this device that the broker should know of. */
  readonly note: string | undefined
  /**
   * Nobody sits before a desktop: it has just been switched on, or the person has closed the
   * viewer. The broker logs them out then.
   */
  readonly ended: boolean
  /** Counts the viewers: what is still answered to an earlier one is of no use. */
  readonly run: number
  /** Names the last notice that was shown over the viewer. */
  readonly notice: string | undefined
  /** The viewer is being ended so that the device asks again: whoever is logged in stays so. */
  readonly reconnecting: boolean
  /** The last orders that were taken. The broker repeats one whose outcome it has not heard; it is not done twice. */
  readonly taken: readonly string[]
  /** How long the broker may hold a question on this network. */
  readonly longPollMs: number
  /** The last held question was cut off, and none has been answered in full since. */
  readonly wasCut: boolean
  /** The last pauses after failures, 0 after a success. */
  readonly brokerPauseMs: number
  readonly viewerPauseMs: number
}

/** `tookMs`: from the question to its answer. `ranMs`: from the viewer's start to its end. */
export type AgentEvent =
  | { readonly type: 'started' | 'pause-over' | 'stop' }
  | { readonly type: 'settings-faulty'; readonly sentence: string }
  | { readonly type: 'answered'; readonly answer: AskAnswer; readonly tookMs: number }
  | {
      readonly type: 'ask-failed'
      readonly sentence: string
      readonly retryAfterMs: number | null
      readonly tookMs: number
    }
  | {
      readonly type: 'reported'
      readonly run: number
      readonly answer: ReportAnswer
      readonly tookMs: number
    }
  | { readonly type: 'report-failed'; readonly run: number; readonly tookMs: number }
  | { readonly type: 'viewer-missing'; readonly sentence: string }
  | {
      readonly type: 'viewer-ended'
      readonly ok: boolean
      readonly ranMs: number
      readonly sentence: string
    }

export type Step =
  | {
      readonly do: 'ask'
      readonly have: string | undefined
      readonly waitMs: number
      readonly note: string | undefined
      readonly ended: boolean
    }
  | { readonly do: 'pause'; readonly pauseMs: number }
  | { readonly do: 'show'; readonly sentence: string; readonly form?: Form }
  | { readonly do: 'keep-key'; readonly deviceKey: string }
  | { readonly do: 'launch'; readonly console: Console; readonly viewer: ViewerOptions }
  | { readonly do: 'report'; readonly showing: 'nothing' }
  | {
      readonly do: 'report'
      readonly showing: 'what-runs'
      readonly run: number
      readonly have: string | undefined
      readonly waitMs: number
    }
  | { readonly do: 'notify'; readonly sentence: string }
  | { readonly do: 'obey'; readonly order: DeviceOrder }
  | { readonly do: 'end-viewer' }
  | { readonly do: 'exit'; readonly ok: boolean }

export interface Next {
  readonly state: State
  readonly steps: readonly Step[]
}
