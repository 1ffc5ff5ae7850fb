import { test } from 'tap'
import { checkAnswer } from '../../thin-client/answer.js'
import { HORIZON, RDP, SPICE, ready, waiting } from './answers.js'

test('good answers pass, and fields of a newer broker are left out', async (t) => {
  for (const console of [SPICE, RDP, HORIZON])
    t.strictSame(checkAnswer(ready({ console })).console, console)
  const newer = checkAnswer({ ...ready(), colour: 'blue', console: { ...SPICE, codec: 'h264' } })
  t.notOk('colour' in newer)
  t.strictSame(newer.console, SPICE)
  t.equal(checkAnswer(waiting({ askAgainMs: 9e12 })).askAgainMs, 600_000)
  t.equal(checkAnswer(waiting({ askAgainMs: -5 })).askAgainMs, 0)
})

test('answers that cannot be acted on are refused with what is wrong', async (t) => {
  const cases: Array<[string, unknown, RegExp]> = [
    ['nothing', null, /body/],
    ['text', 'hello', /body/],
    ['list', [], /not understood/],
    ['empty', {}, /state/],
    ['unknown state', { ...waiting(), state: 'party' }, /\/state/],
    ['no console', { ...ready(), console: undefined }, /names no console/],
    ['time as text', { ...waiting(), askAgainMs: 'soon' }, /askAgainMs/],
    ['short key', waiting({ deviceKey: 'abc' }), /device key/],
    [
      'a second key in the viewer configuration',
      ready({ console: { ...SPICE, title: 'x\nproxy=http://evil' } }),
      /control character in console\/title/,
    ],
    ['a flag as RDP address', ready({ console: { ...RDP, address: '-exec' } }), /not an address/],
    [
      'spaces in an address',
      ready({ console: { ...RDP, address: 'a /shell:x' } }),
      /not an address/,
    ],
    ['a flag as pool', ready({ console: { ...HORIZON, desktopPool: '--evil' } }), /dash/],
    ['no such port', ready({ console: { ...SPICE, tlsPort: 70_000 } }), /port/],
  ]
  for (const [what, body, message] of cases)
    t.throws(() => checkAnswer(body), { name: 'BadAnswer', message }, what)
})
