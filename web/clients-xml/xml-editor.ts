import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { xml } from '@codemirror/lang-xml'
import { bracketMatching, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { Annotation, EditorState, type Extension, type Transaction } from '@codemirror/state'
import { EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view'
import type { Fault } from '../../broker/api/clients-xml.js'
import { faultMarks, markFaults } from './fault-marks.js'
import { COLOURS, LOOK } from './xml-look.js'

export interface EditorOptions {
  readonly text: string
  /** How it is called by those who do not see it. */
  readonly label: string
  readonly readOnly: boolean
  /** What the editor says itself, by its own English words. */
  readonly phrases: Readonly<Record<string, string>>
  readonly onChange: (text: string) => void
}

/** A text that the page put in is no news to the page. */
const byPage = Annotation.define<true>()

/** An editor of XML inside an element. Tab leaves it, as any other field. */
export class XmlEditor {
  readonly #root: ShadowRoot
  readonly #view: EditorView
  /** As the page has it: with its own ends of lines. */
  #text: string

  constructor(place: HTMLElement, options: EditorOptions) {
    this.#text = options.text
    // In a shadow its styles are adopted sheets; outside it would add a style element, which the
    // policy of the pages forbids.
    this.#root = place.shadowRoot ?? place.attachShadow({ mode: 'open' })
    const told = EditorView.updateListener.of(({ docChanged, state, transactions }) => {
      if (!docChanged || transactions.some((one) => one.annotation(byPage))) return
      this.#text = state.doc.toString()
      options.onChange(this.#text)
    })
    this.#view = new EditorView({
      root: this.#root,
      parent: this.#root,
      state: EditorState.create({
        doc: options.text,
        extensions: [told, fieldOf(options), EDITING, LOOK],
      }),
    })
  }

  /** Puts another text in; the one that is there stays as it is. */
  setText(text: string): void {
    if (text === this.#text) return
    this.#text = text
    this.#view.dispatch({
      changes: { from: 0, to: this.#view.state.doc.length, insert: text },
      annotations: byPage.of(true),
    })
  }

  setFaults(faults: readonly Fault[]): void {
    this.#view.dispatch({ effects: markFaults.of(faults) })
  }

  goTo({ line, column }: Fault): void {
    const { doc } = this.#view.state
    const { from, to } = doc.line(Math.min(Math.max(line, 1), doc.lines))
    const at = Math.min(from + Math.max(column - 1, 0), to)
    this.#view.dispatch({
      selection: { anchor: at },
      effects: EditorView.scrollIntoView(at, { y: 'center' }),
    })
    this.#view.focus()
  }

  close(): void {
    this.#view.destroy()
    this.#root.replaceChildren()
  }
}

/**
 * What is typed is put in here. Chromium by itself would give it the colour of what it stands beside
 * by a style attribute, which the policy of the pages forbids, and complain.
 */
const typedByUs = EditorView.domEventHandlers({
  beforeinput: ({ inputType, data, isComposing }, view) => {
    const { state } = view
    if (inputType !== 'insertText' || data === null || isComposing || state.readOnly) return false
    const { from, to } = replacedBy(view)
    const text = state.toText(data)
    const insert = (): Transaction =>
      state.update({
        changes: { from, to, insert: text },
        selection: { anchor: from + text.length },
        userEvent: 'input.type',
        scrollIntoView: true,
      })
    const handlers = state.facet(EditorView.inputHandler)
    if (!handlers.some((handle) => handle(view, from, to, data, insert))) view.dispatch(insert())
    return true
  },
})

/** As the browser has it: the editor hears a moment later of what is chosen by other means than its own. */
function replacedBy(view: EditorView): { from: number; to: number } {
  const root = view.root as Document | (ShadowRoot & Partial<Pick<Document, 'getSelection'>>)
  // Chromium tells a shadow what is chosen in it, other browsers the document.
  const chosen = root.getSelection?.() ?? document.getSelection()
  const { anchorNode = null, anchorOffset = 0, focusNode = null, focusOffset = 0 } = chosen ?? {}
  const isHere = view.contentDOM.contains(anchorNode) && view.contentDOM.contains(focusNode)
  if (!isHere || !anchorNode || !focusNode) return view.state.selection.main
  const ends = [view.posAtDOM(anchorNode, anchorOffset), view.posAtDOM(focusNode, focusOffset)]
  return { from: Math.min(...ends), to: Math.max(...ends) }
}

const EDITING: Extension = [
  lineNumbers(),
  history(),
  xml(),
  syntaxHighlighting(COLOURS),
  indentOnInput(),
  bracketMatching(),
  highlightActiveLine(),
  highlightSelectionMatches(),
  // The browser's own search sees only the lines that are drawn.
  search({ top: true }),
  keymap.of([...searchKeymap, ...historyKeymap, ...defaultKeymap]),
  faultMarks,
  typedByUs,
]

function fieldOf({ label, readOnly, phrases }: EditorOptions): Extension {
  return [
    EditorState.readOnly.of(readOnly),
    EditorState.phrases.of(phrases),
    EditorView.contentAttributes.of({
      'aria-label': label,
      'aria-readonly': String(readOnly),
      autocapitalize: 'off',
      tabindex: '0',
      spellcheck: 'false',
    }),
  ]
}
