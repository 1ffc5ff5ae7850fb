import { type EditorState, RangeSet, StateEffect, StateField } from '@codemirror/state'
import { Decoration, EditorView, GutterMarker, gutterLineClass } from '@codemirror/view'
import type { Fault } from '../../broker/api/clients-xml.js'

type Severity = Fault['severity']
interface Marks {
  readonly lines: RangeSet<Decoration>
  readonly numbers: RangeSet<GutterMarker>
}

/** Says anew in which lines something is wrong. */
export const markFaults = StateEffect.define<readonly Fault[]>()

const CLASSES = { error: 'berth-faulty', warning: 'berth-doubtful' } as const

class FaultyNumber extends GutterMarker {
  override readonly elementClass: string

  constructor(severity: Severity) {
    super()
    this.elementClass = CLASSES[severity]
  }
}
const NUMBERS = { error: new FaultyNumber('error'), warning: new FaultyNumber('warning') }
const LINES = {
  error: Decoration.line({ class: CLASSES.error }),
  warning: Decoration.line({ class: CLASSES.warning }),
}

function marksOf({ doc }: EditorState, faults: readonly Fault[]): Marks {
  const worst = new Map<number, Severity>()
  for (const { line, severity } of faults)
    if (line <= doc.lines && worst.get(line) !== 'error') worst.set(line, severity)
  const places = [...worst]
    .sort(([one], [other]) => one - other)
    .map(([line, severity]) => ({ at: doc.line(line).from, severity }))
  return {
    lines: RangeSet.of(places.map(({ at, severity }) => LINES[severity].range(at))),
    numbers: RangeSet.of(places.map(({ at, severity }) => NUMBERS[severity].range(at))),
  }
}

/** Lines with faults, in the text and beside it; what is typed before them moves them on. */
export const faultMarks = StateField.define<Marks>({
  create: () => ({ lines: RangeSet.empty, numbers: RangeSet.empty }),
  update: ({ lines, numbers }, { changes, effects, state }) => {
    const news = effects.find((one) => one.is(markFaults))
    if (news?.is(markFaults)) return marksOf(state, news.value)
    return { lines: lines.map(changes), numbers: numbers.map(changes) }
  },
  provide: (field) => [
    EditorView.decorations.from(field, ({ lines }) => lines),
    gutterLineClass.from(field, ({ numbers }) => numbers),
  ],
})
