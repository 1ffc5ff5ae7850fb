import { whileAsking } from './asking-policy.js'
import type { AgentEvent, Next, State } from './policy-contract.js'
import { ask, stay } from './policy-steps.js'
import { LONG_POLL_MS } from './policy-times.js'
import { whileShowing } from './showing-policy.js'

export function firstState(once: boolean): State {
  return {
    phase: 'pausing',
    once,
    mark: undefined,
    note: undefined,
    ended: true,
    run: 0,
    notice: undefined,
    reconnecting: false,
    taken: [],
    longPollMs: LONG_POLL_MS,
    wasCut: false,
    brokerPauseMs: 0,
    viewerPauseMs: 0,
  }
}

/**
 * Decides what happens next. `random`: in [0, 1), for the jitter. Events that do not belong to the
 * phase change nothing.
 */
export function nextStep(state: State, event: AgentEvent, random: number): Next {
  if (state.phase === 'ended') return stay(state)
  if (event.type === 'stop') return onStop(state)
  switch (state.phase) {
    case 'pausing':
      return event.type === 'started' || event.type === 'pause-over' ? ask(state) : stay(state)
    case 'asking':
      return whileAsking(state, event, random)
    case 'showing':
      return whileShowing(state, event, random)
    case 'stopping':
      return event.type === 'viewer-ended'
        ? {
            state: { ...state, phase: 'ended' },
            steps: [
              { do: 'report', showing: 'nothing' },
              { do: 'exit', ok: true },
            ],
          }
        : stay(state)
  }
}

function onStop(state: State): Next {
  if (state.phase === 'showing')
    return { state: { ...state, phase: 'stopping' }, steps: [{ do: 'end-viewer' }] }
  return state.phase === 'stopping'
    ? stay(state)
    : { state: { ...state, phase: 'ended' }, steps: [{ do: 'exit', ok: true }] }
}
