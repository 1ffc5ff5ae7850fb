import type { DeviceOrder } from '../broker/api/device-orders.js'
import type { AskAnswer, Console, ReportAnswer, ReportRequest } from '../broker/api/thin-clients.js'
import { DEFAULT_VIEWER_OPTIONS, type ViewerOptions } from '../broker/api/thin-clients.js'
import { type Backoff, nextPauseMs } from './backoff.js'
import { type Form, formOf } from './login-form.js'

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

export const BROKER_BACKOFF: Backoff = { baseMs: 500, capMs: 30_000 }
export const VIEWER_BACKOFF: Backoff = { baseMs: 1000, capMs: 30_000 }
/**
 * How long the broker may hold a question. News come at once; what costs is each question that
 * brings none, and a firewall or a reverse proxy that forgets a silent connection sooner than this
 * is kept awake by the probes of TCP.
 */
export const LONG_POLL_MS = 240_000
/**
 * One that fails after this time was held, and then cut off: by a proxy or a firewall that ends
 * what is silent, or since the broker stopped.
 */
export const HELD_MS = 20_000
/** No network is taken to end what is silent sooner than this. */
export const SHORTEST_POLL_MS = 25_000
/** How often it says what it shows; the broker may hold the report for as long, and brings notices with its answer. */
export const REPORT_EVERY_MS = 60_000
/** A viewer that ended sooner than this showed nothing: asking again at once would spin. */
export const QUICK_END_MS = 3000
/** A viewer that ran this long worked: the next failure counts as the first. */
export const GOOD_RUN_MS = 30_000
export const FAULTY_SETTINGS_PAUSE_MS = 2000
/** Whatever the broker says, it is not asked more often than this. */
export const MIN_PAUSE_MS = 500
/** Spreads devices that were told the same time. */
const ASK_AGAIN_JITTER = 0.2
export const MAX_NOTE_LENGTH = 200
const MOST_TAKEN = 50

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

function whileAsking(state: State, event: AgentEvent, random: number): Next {
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

/**
 * The report of what runs is held by the broker until there is a notice: the next one follows it,
 * also when it failed.
 */
function reportOf(state: State): Step {
  return {
    do: 'report',
    showing: 'what-runs',
    run: state.run,
    have: state.notice,
    waitMs: REPORT_EVERY_MS,
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

/** To reconnect is already done by a device that shows nothing: it has just asked. */
function obedience(order: DeviceOrder | undefined): Step[] {
  return order === undefined ? [] : [{ do: 'obey', order }]
}

function withTaken({ taken }: State, order: DeviceOrder | undefined): readonly string[] {
  return order === undefined || taken.includes(order.id)
    ? taken
    : [...taken, order.id].slice(-MOST_TAKEN)
}

function whileShowing(state: State, event: AgentEvent, random: number): Next {
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

function onStop(state: State): Next {
  if (state.phase === 'showing')
    return { state: { ...state, phase: 'stopping' }, steps: [{ do: 'end-viewer' }] }
  return state.phase === 'stopping'
    ? stay(state)
    : { state: { ...state, phase: 'ended' }, steps: [{ do: 'exit', ok: true }] }
}

function ask(state: State): Next {
  // A new note is said at once; only a device that waits for a change lets the broker hold the question.
  const waitMs = state.mark === undefined ? 0 : state.longPollMs
  return {
    state: { ...state, phase: 'asking' },
    steps: [{ do: 'ask', have: state.mark, waitMs, note: state.note, ended: state.ended }],
  }
}

function jittered(timeMs: number, random: number): number {
  return Math.round(timeMs * (1 + ASK_AGAIN_JITTER * random))
}

function stay(state: State): Next {
  return { state, steps: [] }
}
