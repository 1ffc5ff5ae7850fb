import t from 'tap'
import { SCREEN_CLOSES, type ScreenClose } from '../../broker/api/consoles.js'
import { comesBack, ENDS, endOf, waitBefore } from '../../web/console/ends.js'
import { keysymOf } from '../../web/console/keys.js'
import { keysFor } from '../../web/console/layouts.js'

t.test("the closes are the broker's", async (t) => {
  t.same(
    ENDS,
    Object.fromEntries(
      Object.entries(SCREEN_CLOSES).map(([why, { code, again }]) => [why, { code, again }]),
    ),
  )
  for (const why of Object.keys(SCREEN_CLOSES) as ScreenClose[])
    t.equal(endOf(SCREEN_CLOSES[why].code), why)
  t.equal(endOf(1006), 'network')
  t.same([comesBack('network'), comesBack('hostAway'), comesBack('taken')], [true, true, false])
})

t.test('waits grow, and have a bound', async (t) => {
  t.same(
    [0, 1, 2, 3, 20].map((tries) => waitBefore(tries, 0.5)),
    [500, 1_000, 2_000, 4_000, 15_000],
  )
  t.ok(waitBefore(0, 0) < waitBefore(0, 1), 'not all pages at once')
})

t.test("characters become keys of the guest's keyboard", async (t) => {
  const codes = (character: string, layout: 'us' | 'lt' | 'de'): string | undefined =>
    keysFor(character, layout)
      ?.map(({ code }) => code)
      .join(' ')
  t.same(
    [codes('a', 'us'), codes('A', 'us'), codes('@', 'us'), codes('\n', 'us'), codes(' ', 'us')],
    ['KeyA', 'ShiftLeft KeyA', 'ShiftLeft Digit2', 'Enter', 'Space'],
  )
  t.same(
    [codes('ą', 'lt'), codes('Š', 'lt'), codes('1', 'lt'), codes('@', 'lt')],
    ['Digit1', 'ShiftLeft Digit6', 'AltRight Digit1', 'AltRight ShiftLeft Digit2'],
  )
  t.same(
    [codes('z', 'de'), codes('@', 'de'), codes('ü', 'de')],
    ['KeyY', 'AltRight KeyQ', 'BracketLeft'],
  )
  t.equal(codes('ą', 'us'), undefined)
  t.same(
    [keysymOf('a'), keysymOf('ü'), keysymOf('ą'), keysymOf('\n')],
    [0x61, 0xfc, 0x1000105, 0xff0d],
  )
})
