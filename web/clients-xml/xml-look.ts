import { HighlightStyle } from '@codemirror/language'
import { EditorView } from '@codemirror/view'
import { tags } from '@lezer/highlight'

// PatternFly's colours are other ones in the dark, by themselves.
const colour = (name: string): string => `var(--pf-t--global--${name})`
const BORDER = `1px solid ${colour('border--color--default')}`
const SECONDARY = colour('background--color--secondary--default')
// Framed: on a ground of another colour some of the colours above would be too faint.
const MATCH = {
  backgroundColor: 'transparent',
  outline: `1px solid ${colour('border--color--status--warning--default')}`,
}

export const COLOURS = HighlightStyle.define([
  { tag: [tags.tagName, tags.angleBracket], color: colour('text--color--link--default') },
  { tag: tags.attributeName, color: colour('text--color--status--info--default') },
  {
    tag: [tags.attributeValue, tags.string],
    color: colour('text--color--status--success--default'),
  },
  { tag: [tags.comment, tags.meta], color: colour('text--color--subtle'), fontStyle: 'italic' },
])

/** A line by its colour and a sign, since not everybody sees colours. */
function marked(className: string, status: 'danger' | 'warning'): Record<string, object> {
  const text = { color: colour(`text--color--status--${status}--default`), fontWeight: '700' }
  const tint = `color-mix(in srgb, ${colour(`color--status--${status}--default`)} 12%, transparent)`
  return {
    [`.cm-gutterElement.${className}`]: text,
    [`.cm-gutterElement.${className}::before`]: { content: '"● "' },
    [`.cm-line.${className}`]: { backgroundColor: tint },
  }
}

export const LOOK = EditorView.theme({
  '&': {
    blockSize: '100%',
    color: colour('text--color--regular'),
    backgroundColor: colour('background--color--primary--default'),
  },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'inherit', lineHeight: 'inherit' },
  '.cm-content': { caretColor: colour('text--color--regular'), paddingBlock: '0.5rem' },
  '.cm-gutters': {
    color: colour('text--color--subtle'),
    backgroundColor: SECONDARY,
    borderInlineEnd: 'none',
  },
  '.cm-lineNumbers .cm-gutterElement': { minInlineSize: '3rem' },
  '.cm-activeLine': { backgroundColor: 'transparent' },
  '&.cm-focused .cm-activeLine:not(.berth-faulty, .berth-doubtful)': {
    backgroundColor: colour('background--color--primary--hover'),
  },
  '&.cm-focused .cm-matchingBracket': MATCH,
  '.cm-searchMatch, .cm-selectionMatch': MATCH,
  '.cm-searchMatch.cm-searchMatch-selected': {
    outline: `2px solid ${colour('text--color--regular')}`,
  },
  '.cm-panels': { color: colour('text--color--regular'), backgroundColor: SECONDARY },
  '.cm-panels.cm-panels-top': { borderBlockEnd: BORDER },
  '.cm-panel': { fontFamily: colour('font--family--body') },
  '.cm-panel.cm-search label': { fontSize: 'inherit' },
  '.cm-panel.cm-search [name=close]': { color: 'inherit', fontSize: '1.25rem' },
  '.cm-textfield, .cm-button': {
    color: 'inherit',
    backgroundColor: colour('background--color--primary--default'),
    backgroundImage: 'none',
    border: BORDER,
    fontSize: 'inherit',
  },
  ...marked('berth-faulty', 'danger'),
  ...marked('berth-doubtful', 'warning'),
})
