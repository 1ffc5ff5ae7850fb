import type { DeviceOrder } from '../broker/api/device-orders.js'
import type { ReportAnswer } from '../broker/api/thin-clients.js'
import { nextPauseMs } from './backoff.js'
import type { AgentEvent, Next, State, Step } from './policy-contract.js'
import { ask, obedience, reportOf, stay, withTaken } from './policy-steps.js'
import {
  GOOD_RUN_MS,
  jittered,
  MAX_NOTE_LENGTH,
  MIN_PAUSE_MS,
  QUICK_END_MS,
  REPORT_EVERY_MS,
  VIEWER_BACKOFF,
} from './policy-times.js'

/** A viewer runs: its reports, and its end. */
export function whileShowing(state: State, event: AgentEvent, random: number): Next {
  switch (event.type) {
    case 'pause-over':
      return { state, steps: [reportOf(state)] }
    case 'reported':
    case 'report-failed': {
      const answer = event.type === 'reported' ? event.answer : null
      return event.run === state.run ? onReported(state, answer, event.tookMs, random) : stay(state)
    }
    case 'viewer-missing':
      return onViewerTrouble(
        { ...state, note: event.sentence.slice(0, MAX_NOTE_LENGTH) },
        event.sentence,
        random,
      )
    case 'viewer-ended':
      return onViewerEnded(state, event, random)
    default:
      return stay(state)
  }
}

function onReported(
  before: State,
  answer: ReportAnswer | null,
  tookMs: number,
  random: number,
): Next {
  const order = answer?.order
  const isReconnect = isNewReconnect(before, order)
  const state = {
    ...before,
    taken: withTaken(before, order),
    reconnecting: before.reconnecting || isReconnect,
  }
  const obey = obedience(order)
  const over = answer?.over ?? (isReconnect ? RECONNECTED : null)
  if (over !== null)
    return { state, steps: [...obey, { do: 'show', sentence: over }, { do: 'end-viewer' }] }
  const notice = answer === null ? state.notice : answer.notice?.id
  const isNews = notice !== state.notice
  const restMs = isNews || order !== undefined ? 0 : REPORT_EVERY_MS - tookMs
  const pauseMs = jittered(Math.max(MIN_PAUSE_MS, restMs), random)
  const news = isNews ? notification(answer) : []
  return { state: { ...state, notice }, steps: [...obey, ...news, { do: 'pause', pauseMs }] }
}

function isNewReconnect({ taken }: State, order: DeviceOrder | undefined): boolean {
  return order?.kind === 'reconnect' && !taken.includes(order.id)
}

const RECONNECTED = 'The administrator lets this device connect again.'

function notification(answer: ReportAnswer | null): Step[] {
  return answer?.notice ? [{ do: 'notify', sentence: answer.notice.sentence }] : []
}

function onViewerEnded(
  state: State,
  { ok, sentence, ranMs }: Extract<AgentEvent, { type: 'viewer-ended' }>,
  random: number,
): Next {
  const after = {
    ...state,
    note: ok ? undefined : sentence.slice(0, MAX_NOTE_LENGTH),
    viewerPauseMs: ranMs >= GOOD_RUN_MS ? 0 : state.viewerPauseMs,
    ended: ok && !state.reconnecting,
    reconnecting: false,
  }
  const nothingShown: Step = { do: 'report', showing: 'nothing' }
  if (!state.reconnecting) {
    if (state.once)
      return {
        state: { ...after, phase: 'ended' },
        steps: [nothingShown, { do: 'exit', ok }],
      }
    if (ranMs < QUICK_END_MS) return onViewerTrouble(after, sentence, random)
  }
  const asked = ask(after)
  return {
    state: asked.state,
    steps: [{ do: 'show', sentence }, nothingShown, ...asked.steps],
  }
}

function onViewerTrouble(state: State, sentence: string, random: number): Next {
  if (state.once)
    return {
      state: { ...state, phase: 'ended' },
      steps: [
        { do: 'show', sentence },
        { do: 'exit', ok: false },
      ],
    }
  const pauseMs = nextPauseMs(VIEWER_BACKOFF, state.viewerPauseMs, random)
  return {
    state: { ...state, phase: 'pausing', viewerPauseMs: pauseMs },
    steps: [
      { do: 'show', sentence },
      { do: 'report', showing: 'nothing' },
      { do: 'pause', pauseMs },
    ],
  }
}
