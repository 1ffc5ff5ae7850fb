import { test } from 'tap'
import type { DeviceOrder } from '../../broker/api/device-orders.js'
import { DEFAULT_VIEWER_OPTIONS } from '../../broker/api/thin-clients.js'
import type { AgentEvent, State, Step } from '../../thin-client/policy-contract.js'
import { firstState, nextStep } from '../../thin-client/policy.js'
import { DEVICE_KEY, SPICE, ready, waiting } from './answers.js'

const fresh = firstState(false)
const idle: State = { ...fresh, ended: false }
const asking: State = { ...idle, phase: 'asking' }
const showing: State = { ...idle, phase: 'showing', run: 1 }
const ask: Extract<Step, { do: 'ask' }> = {
  do: 'ask',
  have: undefined,
  waitMs: 0,
  note: undefined,
  ended: false,
}
const ended = (ok: boolean, ranMs: number): AgentEvent => ({
  type: 'viewer-ended',
  ok,
  ranMs,
  sentence: 'It ended.',
})
const launch: Step = { do: 'launch', console: SPICE, viewer: DEFAULT_VIEWER_OPTIONS }
const nextReport: Step = {
  do: 'report',
  showing: 'what-runs',
  run: 1,
  have: undefined,
  waitMs: 60_000,
}
const NOTICE = { id: 'n1', sentence: 'It ends soon.', takenAt: '2026-11-21T18:00:00.000Z' }
const quiet = { notice: null, over: null }
const MESSAGE: DeviceOrder = { id: 'o1', kind: 'message', text: 'Hello.', seconds: 60 }
const RECONNECT: DeviceOrder = { ...MESSAGE, id: 'o2', kind: 'reconnect', text: '' }
const show = (sentence: string): Step => ({ do: 'show', sentence })
const nothing: Step = { do: 'report', showing: 'nothing' }

interface Row {
  readonly when: string
  readonly state: State
  readonly event: AgentEvent
  readonly random?: number
  readonly becomes: Partial<State>
  readonly steps: readonly Step[]
}

const TABLE: readonly Row[] = [
  {
    when: 'started',
    state: fresh,
    event: { type: 'started' },
    becomes: { phase: 'asking', ended: true },
    steps: [{ ...ask, ended: true }],
  },
  {
    when: 'a pause is over',
    state: { ...idle, mark: 'm1', note: 'n' },
    event: { type: 'pause-over' },
    becomes: { phase: 'asking' },
    steps: [{ do: 'ask', have: 'm1', waitMs: 240_000, note: 'n', ended: false }],
  },
  {
    when: 'told something new',
    state: asking,
    event: { type: 'answered', answer: waiting({ askAgainMs: 5000 }), tookMs: 100 },
    random: 0.5,
    becomes: { phase: 'pausing', mark: 'm1' },
    steps: [show(waiting().sentence), { do: 'pause', pauseMs: 550 }],
  },
  {
    when: 'told the same at once',
    state: { ...asking, mark: 'm1' },
    event: { type: 'answered', answer: waiting({ askAgainMs: 5100 }), tookMs: 100 },
    random: 0.5,
    becomes: { phase: 'pausing' },
    steps: [show(waiting().sentence), { do: 'pause', pauseMs: 5500 }],
  },
  {
    when: 'told the same after a long poll',
    state: { ...asking, mark: 'm1' },
    event: { type: 'answered', answer: waiting({ askAgainMs: 5000 }), tookMs: 58_000 },
    becomes: { phase: 'pausing' },
    steps: [show(waiting().sentence), { do: 'pause', pauseMs: 500 }],
  },
  {
    when: 'given a key',
    state: asking,
    event: { type: 'answered', answer: waiting({ deviceKey: DEVICE_KEY }), tookMs: 100 },
    becomes: { phase: 'pausing' },
    steps: [
      { do: 'keep-key', deviceKey: DEVICE_KEY },
      show(waiting().sentence),
      { do: 'pause', pauseMs: 500 },
    ],
  },
  {
    when: 'ready',
    state: { ...asking, mark: 'm0', note: 'n', brokerPauseMs: 900 },
    event: { type: 'answered', answer: ready(), tookMs: 100 },
    becomes: { phase: 'showing', mark: undefined, note: undefined, brokerPauseMs: 0, run: 1 },
    steps: [show('Showing pc-01.'), launch, nextReport],
  },
  {
    when: 'the broker is away',
    state: asking,
    event: { type: 'ask-failed', sentence: 'Away.', retryAfterMs: null, tookMs: 10 },
    becomes: { phase: 'pausing', brokerPauseMs: 500 },
    steps: [show('Away.'), { do: 'pause', pauseMs: 500 }],
  },
  {
    when: 'still away',
    state: { ...asking, brokerPauseMs: 10_000 },
    event: { type: 'ask-failed', sentence: 'Away.', retryAfterMs: null, tookMs: 10 },
    random: 1,
    becomes: { brokerPauseMs: 30_000 },
    steps: [show('Away.'), { do: 'pause', pauseMs: 30_000 }],
  },
  {
    when: 'the broker says when',
    state: asking,
    event: { type: 'ask-failed', sentence: 'Busy.', retryAfterMs: 40_000, tookMs: 10 },
    random: 0.5,
    becomes: { phase: 'pausing' },
    steps: [show('Busy.'), { do: 'pause', pauseMs: 44_000 }],
  },
  {
    when: 'a held question is cut off: the broker may have been restarted',
    state: asking,
    event: { type: 'ask-failed', sentence: 'Cut.', retryAfterMs: null, tookMs: 60_000 },
    becomes: { wasCut: true, longPollMs: 240_000 },
    steps: [show('Cut.'), { do: 'pause', pauseMs: 500 }],
  },
  {
    when: 'one is cut off again: this network ends what is silent',
    state: { ...asking, wasCut: true },
    event: { type: 'ask-failed', sentence: 'Cut.', retryAfterMs: null, tookMs: 60_000 },
    becomes: { longPollMs: 48_000 },
    steps: [show('Cut.'), { do: 'pause', pauseMs: 500 }],
  },
  {
    when: 'it is held for less on such a network',
    state: { ...idle, mark: 'm1', longPollMs: 48_000 },
    event: { type: 'pause-over' },
    becomes: { longPollMs: 48_000 },
    steps: [{ do: 'ask', have: 'm1', waitMs: 48_000, note: undefined, ended: false }],
  },
  {
    when: 'the network cuts at once: it is not asked all the time',
    state: { ...asking, wasCut: true, longPollMs: 30_000 },
    event: { type: 'ask-failed', sentence: 'Cut.', retryAfterMs: null, tookMs: 21_000 },
    becomes: { longPollMs: 25_000 },
    steps: [show('Cut.'), { do: 'pause', pauseMs: 500 }],
  },
  {
    when: 'a question that was held in full: the cut before was no property of the network',
    state: { ...asking, wasCut: true, mark: 'm0' },
    event: { type: 'answered', answer: waiting({ mark: 'm0' }), tookMs: 230_000 },
    becomes: { wasCut: false, longPollMs: 240_000 },
    steps: [show(waiting().sentence), { do: 'pause', pauseMs: 500 }],
  },
  {
    when: 'the settings are faulty',
    state: asking,
    event: { type: 'settings-faulty', sentence: 'Line 3.' },
    becomes: { phase: 'pausing' },
    steps: [show('Line 3.'), { do: 'pause', pauseMs: 2000 }],
  },
  {
    when: 'someone may log in',
    state: { ...asking, ended: true },
    event: {
      type: 'answered',
      answer: waiting({ state: 'login', ways: { password: true, providers: [] } }),
      tookMs: 100,
    },
    becomes: { phase: 'pausing', ended: false },
    steps: [
      {
        do: 'show',
        sentence: waiting().sentence,
        form: { kind: 'login', ways: { password: true, providers: [] } },
      },
      { do: 'pause', pauseMs: 500 },
    ],
  },
  {
    when: 'he may choose',
    state: asking,
    event: {
      type: 'answered',
      answer: waiting({ state: 'choose', person: 'ann', choices: [] }),
      tookMs: 100,
    },
    becomes: { phase: 'pausing' },
    steps: [
      { do: 'show', sentence: waiting().sentence, form: { kind: 'choose', choices: [] } },
      { do: 'pause', pauseMs: 500 },
    ],
  },
  {
    when: 'he waits',
    state: asking,
    event: { type: 'answered', answer: waiting({ person: 'ann' }), tookMs: 100 },
    becomes: { phase: 'pausing' },
    steps: [
      { do: 'show', sentence: waiting().sentence, form: { kind: 'leave' } },
      { do: 'pause', pauseMs: 500 },
    ],
  },
  {
    when: 'a minute of showing',
    state: showing,
    event: { type: 'pause-over' },
    becomes: { phase: 'showing' },
    steps: [nextReport],
  },
  {
    when: 'nothing new after a long report',
    state: showing,
    event: { type: 'reported', run: 1, answer: quiet, tookMs: 60_000 },
    becomes: { notice: undefined },
    steps: [{ do: 'pause', pauseMs: 500 }],
  },
  {
    when: 'nothing new at once',
    state: showing,
    event: { type: 'reported', run: 1, answer: quiet, tookMs: 10 },
    becomes: { notice: undefined },
    steps: [{ do: 'pause', pauseMs: 59_990 }],
  },
  {
    when: 'an order while it waits',
    state: { ...asking, mark: 'm1' },
    event: {
      type: 'answered',
      answer: waiting({ askAgainMs: 30_000, order: MESSAGE }),
      tookMs: 100,
    },
    becomes: { phase: 'pausing', taken: ['o1'] },
    steps: [
      show(waiting().sentence),
      { do: 'obey', order: MESSAGE },
      { do: 'pause', pauseMs: 500 },
    ],
  },
  {
    when: 'an order with a desktop',
    state: asking,
    event: { type: 'answered', answer: ready({ order: MESSAGE }), tookMs: 100 },
    becomes: { phase: 'showing', taken: ['o1'] },
    steps: [show('Showing pc-01.'), launch, { do: 'obey', order: MESSAGE }, nextReport],
  },
  {
    when: 'a message while it shows',
    state: showing,
    event: { type: 'reported', run: 1, answer: { ...quiet, order: MESSAGE }, tookMs: 10 },
    becomes: { phase: 'showing', reconnecting: false, taken: ['o1'] },
    steps: [
      { do: 'obey', order: MESSAGE },
      { do: 'pause', pauseMs: 500 },
    ],
  },
  {
    when: 'to reconnect',
    state: showing,
    event: { type: 'reported', run: 1, answer: { ...quiet, order: RECONNECT }, tookMs: 10 },
    becomes: { phase: 'showing', reconnecting: true, taken: ['o2'] },
    steps: [
      { do: 'obey', order: RECONNECT },
      show('The administrator lets this device connect again.'),
      { do: 'end-viewer' },
    ],
  },
  {
    when: 'told again to reconnect',
    state: { ...showing, taken: ['o2'] },
    event: { type: 'reported', run: 1, answer: { ...quiet, order: RECONNECT }, tookMs: 10 },
    becomes: { phase: 'showing', reconnecting: false },
    steps: [
      { do: 'obey', order: RECONNECT },
      { do: 'pause', pauseMs: 500 },
    ],
  },
  {
    when: 'the viewer is closed to reconnect',
    state: { ...showing, reconnecting: true },
    event: ended(true, 100),
    becomes: { phase: 'asking', reconnecting: false, ended: false },
    steps: [show('It ended.'), nothing, ask],
  },
  {
    when: 'a report failed',
    state: { ...showing, notice: 'n1' },
    event: { type: 'report-failed', run: 1, tookMs: 0 },
    becomes: { phase: 'showing', notice: 'n1' },
    steps: [{ do: 'pause', pauseMs: 60_000 }],
  },
  {
    when: 'a notice',
    state: showing,
    event: { type: 'reported', run: 1, answer: { notice: NOTICE, over: null }, tookMs: 5000 },
    becomes: { notice: 'n1' },
    steps: [
      { do: 'notify', sentence: 'It ends soon.' },
      { do: 'pause', pauseMs: 500 },
    ],
  },
  {
    when: 'the same notice again',
    state: { ...showing, notice: 'n1' },
    event: { type: 'reported', run: 1, answer: { notice: NOTICE, over: null }, tookMs: 0 },
    becomes: { notice: 'n1' },
    steps: [{ do: 'pause', pauseMs: 60_000 }],
  },
  {
    when: 'the login is over',
    state: showing,
    event: { type: 'reported', run: 1, answer: { notice: null, over: 'Over.' }, tookMs: 10 },
    becomes: { phase: 'showing' },
    steps: [show('Over.'), { do: 'end-viewer' }],
  },
  {
    when: 'an answer to an earlier viewer',
    state: { ...showing, run: 2 },
    event: { type: 'reported', run: 1, answer: { notice: NOTICE, over: 'Over.' }, tookMs: 10 },
    becomes: { notice: undefined },
    steps: [],
  },
  {
    when: 'an answer after the viewer',
    state: { ...asking, run: 1 },
    event: { type: 'reported', run: 1, answer: { notice: NOTICE, over: null }, tookMs: 10 },
    becomes: { phase: 'asking' },
    steps: [],
  },
  {
    when: 'the viewer was closed after a while',
    state: showing,
    event: ended(true, 3000),
    becomes: { phase: 'asking', note: undefined, ended: true },
    steps: [show('It ended.'), nothing, { ...ask, ended: true }],
  },
  {
    when: 'the viewer failed after a while',
    state: showing,
    event: ended(false, 9000),
    becomes: { phase: 'asking', note: 'It ended.' },
    steps: [show('It ended.'), nothing, { ...ask, note: 'It ended.' }],
  },
  {
    when: 'the viewer failed at once',
    state: showing,
    event: ended(false, 200),
    becomes: { phase: 'pausing', viewerPauseMs: 1000, note: 'It ended.' },
    steps: [show('It ended.'), nothing, { do: 'pause', pauseMs: 1000 }],
  },
  {
    when: 'it fails at once again',
    state: { ...showing, viewerPauseMs: 20_000 },
    event: ended(false, 200),
    random: 1,
    becomes: { viewerPauseMs: 30_000 },
    steps: [show('It ended.'), nothing, { do: 'pause', pauseMs: 30_000 }],
  },
  {
    when: 'a good run forgets earlier failures',
    state: { ...showing, viewerPauseMs: 20_000 },
    event: ended(true, 30_000),
    becomes: { viewerPauseMs: 0, phase: 'asking' },
    steps: [show('It ended.'), nothing, { ...ask, ended: true }],
  },
  {
    when: 'a viewer that ends well at once must not spin',
    state: showing,
    event: ended(true, 10),
    becomes: { phase: 'pausing' },
    steps: [show('It ended.'), nothing, { do: 'pause', pauseMs: 1000 }],
  },
  {
    when: 'there is no viewer',
    state: showing,
    event: { type: 'viewer-missing', sentence: 'No viewer.' },
    becomes: { phase: 'pausing', note: 'No viewer.' },
    steps: [show('No viewer.'), nothing, { do: 'pause', pauseMs: 1000 }],
  },
  {
    when: 'stopped while showing',
    state: showing,
    event: { type: 'stop' },
    becomes: { phase: 'stopping' },
    steps: [{ do: 'end-viewer' }],
  },
  {
    when: 'stopped twice',
    state: { ...idle, phase: 'stopping' },
    event: { type: 'stop' },
    becomes: { phase: 'stopping' },
    steps: [],
  },
  {
    when: 'the viewer ended because of the stop',
    state: { ...idle, phase: 'stopping' },
    event: ended(false, 9000),
    becomes: { phase: 'ended' },
    steps: [nothing, { do: 'exit', ok: true }],
  },
  {
    when: 'stopped while waiting',
    state: idle,
    event: { type: 'stop' },
    becomes: { phase: 'ended' },
    steps: [{ do: 'exit', ok: true }],
  },
  {
    when: 'stopped while asking',
    state: asking,
    event: { type: 'stop' },
    becomes: { phase: 'ended' },
    steps: [{ do: 'exit', ok: true }],
  },
  {
    when: 'an answer after the end',
    state: { ...idle, phase: 'ended' },
    event: { type: 'answered', answer: ready(), tookMs: 100 },
    becomes: { phase: 'ended' },
    steps: [],
  },
  {
    when: 'an answer nobody waits for',
    state: showing,
    event: { type: 'answered', answer: ready(), tookMs: 100 },
    becomes: { phase: 'showing' },
    steps: [],
  },
  {
    when: 'once: closed',
    state: { ...showing, once: true },
    event: ended(true, 100),
    becomes: { phase: 'ended' },
    steps: [nothing, { do: 'exit', ok: true }],
  },
  {
    when: 'once: failed',
    state: { ...showing, once: true },
    event: ended(false, 9000),
    becomes: { phase: 'ended' },
    steps: [nothing, { do: 'exit', ok: false }],
  },
  {
    when: 'once: no viewer',
    state: { ...showing, once: true },
    event: { type: 'viewer-missing', sentence: 'No viewer.' },
    becomes: { phase: 'ended' },
    steps: [show('No viewer.'), { do: 'exit', ok: false }],
  },
]

for (const row of TABLE) {
  test(`policy: ${row.when}`, async (t) => {
    const next = nextStep(row.state, row.event, row.random ?? 0)
    t.match(next.state, row.becomes)
    t.strictSame(next.steps, row.steps)
  })
}

test('policy: a note fits the field of the API', async (t) => {
  t.equal(
    nextStep(showing, { type: 'viewer-missing', sentence: 'x'.repeat(500) }, 0).state.note?.length,
    200,
  )
})
