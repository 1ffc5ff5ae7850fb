import { test } from 'tap'
import { DEFAULT_VIEWER_OPTIONS } from '../../broker/api/thin-clients.js'
import { type AgentEvent, type State, type Step, firstState, nextStep } from '../../thin-client/policy.js'
import { DEVICE_KEY, SPICE, ready, waiting } from './answers.js'

const idle = firstState(false)
const asking: State = { ...idle, phase: 'asking' }
const showing: State = { ...idle, phase: 'showing' }
const ask: Step = { do: 'ask', have: undefined, waitMs: 0, note: undefined }
const ended = (ok: boolean, ranMs: number): AgentEvent => ({ type: 'viewer-ended', ok, ranMs, sentence: 'It ended.' })
const launch: Step = { do: 'launch', console: SPICE, viewer: DEFAULT_VIEWER_OPTIONS }
const nextReport: Step[] = [{ do: 'report', showing: 'what-runs' }, { do: 'pause', pauseMs: 60_000 }]
const show = (sentence: string): Step => ({ do: 'show', sentence })
const nothing: Step = { do: 'report', showing: 'nothing' }

interface Row { readonly when: string, readonly state: State, readonly event: AgentEvent, readonly random?: number, readonly becomes: Partial<State>, readonly steps: readonly Step[] }

const TABLE: readonly Row[] = [
  { when: 'started', state: idle, event: { type: 'started' }, becomes: { phase: 'asking' }, steps: [ask] },
  { when: 'a pause is over', state: { ...idle, mark: 'm1', note: 'n' }, event: { type: 'pause-over' }, becomes: { phase: 'asking' }, steps: [{ do: 'ask', have: 'm1', waitMs: 60_000, note: 'n' }] },
  { when: 'told something new', state: asking, event: { type: 'answered', answer: waiting({ askAgainMs: 5000 }), tookMs: 100 }, random: 0.5, becomes: { phase: 'pausing', mark: 'm1' }, steps: [show(waiting().sentence), { do: 'pause', pauseMs: 550 }] },
  { when: 'told the same at once', state: { ...asking, mark: 'm1' }, event: { type: 'answered', answer: waiting({ askAgainMs: 5100 }), tookMs: 100 }, random: 0.5, becomes: { phase: 'pausing' }, steps: [show(waiting().sentence), { do: 'pause', pauseMs: 5500 }] },
  { when: 'told the same after a long poll', state: { ...asking, mark: 'm1' }, event: { type: 'answered', answer: waiting({ askAgainMs: 5000 }), tookMs: 58_000 }, becomes: { phase: 'pausing' }, steps: [show(waiting().sentence), { do: 'pause', pauseMs: 500 }] },
  { when: 'given a key', state: asking, event: { type: 'answered', answer: waiting({ deviceKey: DEVICE_KEY }), tookMs: 100 }, becomes: { phase: 'pausing' }, steps: [{ do: 'keep-key', deviceKey: DEVICE_KEY }, show(waiting().sentence), { do: 'pause', pauseMs: 500 }] },
  { when: 'ready', state: { ...asking, mark: 'm0', note: 'n', brokerPauseMs: 900 }, event: { type: 'answered', answer: ready(), tookMs: 100 }, becomes: { phase: 'showing', mark: undefined, note: undefined, brokerPauseMs: 0 }, steps: [show('Showing pc-01.'), launch, ...nextReport] },
  { when: 'the broker is away', state: asking, event: { type: 'ask-failed', sentence: 'Away.', retryAfterMs: null }, becomes: { phase: 'pausing', brokerPauseMs: 500 }, steps: [show('Away.'), { do: 'pause', pauseMs: 500 }] },
  { when: 'still away', state: { ...asking, brokerPauseMs: 10_000 }, event: { type: 'ask-failed', sentence: 'Away.', retryAfterMs: null }, random: 1, becomes: { brokerPauseMs: 30_000 }, steps: [show('Away.'), { do: 'pause', pauseMs: 30_000 }] },
  { when: 'the broker says when', state: asking, event: { type: 'ask-failed', sentence: 'Busy.', retryAfterMs: 40_000 }, random: 0.5, becomes: { phase: 'pausing' }, steps: [show('Busy.'), { do: 'pause', pauseMs: 44_000 }] },
  { when: 'the settings are faulty', state: asking, event: { type: 'settings-faulty', sentence: 'Line 3.' }, becomes: { phase: 'pausing' }, steps: [show('Line 3.'), { do: 'pause', pauseMs: 2000 }] },
  { when: 'a minute of showing', state: showing, event: { type: 'pause-over' }, becomes: { phase: 'showing' }, steps: nextReport },
  { when: 'the viewer was closed after a while', state: showing, event: ended(true, 3000), becomes: { phase: 'asking', note: undefined }, steps: [show('It ended.'), nothing, ask] },
  { when: 'the viewer failed after a while', state: showing, event: ended(false, 9000), becomes: { phase: 'asking', note: 'It ended.' }, steps: [show('It ended.'), nothing, { ...ask, note: 'It ended.' }] },
  { when: 'the viewer failed at once', state: showing, event: ended(false, 200), becomes: { phase: 'pausing', viewerPauseMs: 1000, note: 'It ended.' }, steps: [show('It ended.'), nothing, { do: 'pause', pauseMs: 1000 }] },
  { when: 'it fails at once again', state: { ...showing, viewerPauseMs: 20_000 }, event: ended(false, 200), random: 1, becomes: { viewerPauseMs: 30_000 }, steps: [show('It ended.'), nothing, { do: 'pause', pauseMs: 30_000 }] },
  { when: 'a good run forgets earlier failures', state: { ...showing, viewerPauseMs: 20_000 }, event: ended(true, 30_000), becomes: { viewerPauseMs: 0, phase: 'asking' }, steps: [show('It ended.'), nothing, ask] },
  { when: 'a viewer that ends well at once must not spin', state: showing, event: ended(true, 10), becomes: { phase: 'pausing' }, steps: [show('It ended.'), nothing, { do: 'pause', pauseMs: 1000 }] },
  { when: 'there is no viewer', state: showing, event: { type: 'viewer-missing', sentence: 'No viewer.' }, becomes: { phase: 'pausing', note: 'No viewer.' }, steps: [show('No viewer.'), nothing, { do: 'pause', pauseMs: 1000 }] },
  { when: 'stopped while showing', state: showing, event: { type: 'stop' }, becomes: { phase: 'stopping' }, steps: [{ do: 'end-viewer' }] },
  { when: 'stopped twice', state: { ...idle, phase: 'stopping' }, event: { type: 'stop' }, becomes: { phase: 'stopping' }, steps: [] },
  { when: 'the viewer ended because of the stop', state: { ...idle, phase: 'stopping' }, event: ended(false, 9000), becomes: { phase: 'ended' }, steps: [nothing, { do: 'exit', ok: true }] },
  { when: 'stopped while waiting', state: idle, event: { type: 'stop' }, becomes: { phase: 'ended' }, steps: [{ do: 'exit', ok: true }] },
  { when: 'stopped while asking', state: asking, event: { type: 'stop' }, becomes: { phase: 'ended' }, steps: [{ do: 'exit', ok: true }] },
  { when: 'an answer after the end', state: { ...idle, phase: 'ended' }, event: { type: 'answered', answer: ready(), tookMs: 100 }, becomes: { phase: 'ended' }, steps: [] },
  { when: 'an answer nobody waits for', state: showing, event: { type: 'answered', answer: ready(), tookMs: 100 }, becomes: { phase: 'showing' }, steps: [] },
  { when: 'once: closed', state: { ...showing, once: true }, event: ended(true, 100), becomes: { phase: 'ended' }, steps: [nothing, { do: 'exit', ok: true }] },
  { when: 'once: failed', state: { ...showing, once: true }, event: ended(false, 9000), becomes: { phase: 'ended' }, steps: [nothing, { do: 'exit', ok: false }] },
  { when: 'once: no viewer', state: { ...showing, once: true }, event: { type: 'viewer-missing', sentence: 'No viewer.' }, becomes: { phase: 'ended' }, steps: [show('No viewer.'), { do: 'exit', ok: false }] },
]

for (const row of TABLE) {
  test(`policy: ${row.when}`, async t => {
    const next = nextStep(row.state, row.event, row.random ?? 0)
    t.match(next.state, row.becomes)
    t.strictSame(next.steps, row.steps)
  })
}

test('policy: a note fits the field of the API', async t => {
  t.equal(nextStep(showing, { type: 'viewer-missing', sentence: 'x'.repeat(500) }, 0).state.note?.length, 200)
})
