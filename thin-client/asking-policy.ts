import { type AskAnswer, DEFAULT_VIEWER_OPTIONS } from '../broker/api/thin-clients.js'
import { nextPauseMs } from './backoff.js'
import { formOf } from './login-form.js'
import type { AgentEvent, Next, State, Step } from './policy-contract.js'
import { obedience, reportOf, stay, withTaken } from './policy-steps.js'
import {
  BROKER_BACKOFF,
  FAULTY_SETTINGS_PAUSE_MS,
  HELD_MS,
  jittered,
  MIN_PAUSE_MS,
  SHORTEST_POLL_MS,
} from './policy-times.js'

/** A question is under way: what its answer, or its failure, leads to. */
export function whileAsking(state: State, event: AgentEvent, random: number): Next {
  switch (event.type) {
    case 'settings-faulty':
      return {
        state: { ...state, phase: 'pausing' },
        steps: [
          { do: 'show', sentence: event.sentence },
          { do: 'pause', pauseMs: FAULTY_SETTINGS_PAUSE_MS },
        ],
      }
    case 'ask-failed': {
      const brokerPauseMs = nextPauseMs(BROKER_BACKOFF, state.brokerPauseMs, random)
      const pauseMs = Math.max(
        brokerPauseMs,
        event.retryAfterMs === null ? 0 : jittered(event.retryAfterMs, random),
      )
      return {
        state: { ...afterFailure(state, event.tookMs), phase: 'pausing', brokerPauseMs },
        steps: [
          { do: 'show', sentence: event.sentence },
          { do: 'pause', pauseMs },
        ],
      }
    }
    case 'answered':
      return onAnswer(
        {
          ...state,
          brokerPauseMs: 0,
          ended: false,
          wasCut: state.wasCut && event.tookMs < HELD_MS,
        },
        event.answer,
        event.tookMs,
        random,
      )
    default:
      return stay(state)
  }
}

/**
 * A broker that restarts cuts one question off; a network that ends silent connections cuts each,
 * so from the second on the broker is to answer before.
 */
function afterFailure(state: State, tookMs: number): State {
  if (tookMs < HELD_MS) return state
  return state.wasCut
    ? { ...state, longPollMs: shorterThan(tookMs, state.longPollMs) }
    : { ...state, wasCut: true }
}

function shorterThan(tookMs: number, longPollMs: number): number {
  return Math.max(SHORTEST_POLL_MS, Math.round(Math.min(longPollMs / 2, tookMs * 0.8)))
}

function onAnswer(state: State, answer: AskAnswer, tookMs: number, random: number): Next {
  const keep: Step[] =
    answer.deviceKey === undefined ? [] : [{ do: 'keep-key', deviceKey: answer.deviceKey }]
  const obey = obedience(answer.order)
  const taken = withTaken(state, answer.order)
  if (answer.state === 'ready' && answer.console !== undefined) {
    // No mark: the next question, after this viewer, must be answered at once and with a new ticket.
    const shown: State = {
      ...state,
      phase: 'showing',
      mark: undefined,
      note: undefined,
      notice: undefined,
      run: state.run + 1,
      taken,
    }
    return {
      state: shown,
      steps: [
        ...keep,
        { do: 'show', sentence: answer.sentence },
        { do: 'launch', console: answer.console, viewer: answer.viewer ?? DEFAULT_VIEWER_OPTIONS },
        ...obey,
        reportOf(shown),
      ],
    }
  }
  // After news the next question is the long poll that brings the following news. The stated time
  // is for a broker that did not hold the question.
  const wantedMs =
    answer.mark === state.mark && answer.order === undefined ? answer.askAgainMs - tookMs : 0
  const pauseMs = jittered(Math.max(MIN_PAUSE_MS, wantedMs), random)
  const form = formOf(answer)
  return {
    state: { ...state, phase: 'pausing', mark: answer.mark, taken },
    steps: [
      ...keep,
      { do: 'show', sentence: answer.sentence, ...(form === undefined ? {} : { form }) },
      ...obey,
      { do: 'pause', pauseMs },
    ],
  }
}
