import { printable } from './log.js'

export interface ScreenFacts {
  readonly device: string
  readonly macs: readonly string[]
  readonly broker: string
  /** The fingerprint of the broker's CA and where it comes from; empty while unknown. */
  readonly trust: string
}

/** `form`: lines of what a person can do there; a terminal shows them. */
export interface Screen {
  show: (sentence: string, facts: ScreenFacts, nowMs: number, form?: readonly string[]) => void
}

/** ANSI (ECMA-48): clear the screen, cursor to the top left, cursor hidden. */
const CLEAR = '\u001b[2J\u001b[H\u001b[?25l'

/** What a terminal shows: the sentence, since when, what can be typed, and who this device and its broker are. */
export function pageOf(
  sentence: string,
  facts: ScreenFacts,
  sinceMs: number,
  form: readonly string[] = [],
): string {
  const typed = form.length === 0 ? [] : [...form, '']
  const lines = [
    '',
    'Berth',
    '',
    printable(sentence),
    ...(form.length === 0 ? [`Since ${clockTime(sinceMs)}.`] : []),
    '',
    ...typed,
    `This device: ${[facts.device, ...facts.macs].filter(Boolean).join('  ')}`,
    `Broker: ${facts.broker}`,
  ]
  if (facts.trust !== '') lines.push(facts.trust)
  return `${CLEAR}${lines.map(indented).join('\r\n')}\r\n`
}

function indented(line: string): string {
  return printable(line) === '' ? '' : `  ${line.replace(/\p{Cc}+/gu, ' ').trimEnd()}`
}

/** Writes a clean page to a terminal, and one plain line elsewhere; a sentence that stays is not written again. */
export function screenOn(write: (text: string) => void, terminal: boolean): Screen {
  return { show: terminal ? pages(write) : lines(write) }
}

function pages(write: (text: string) => void): Screen['show'] {
  let shown = { sentence: '', sinceMs: 0, page: '' }
  return (sentence, facts, nowMs, form = []) => {
    const sinceMs = shown.sentence === sentence ? shown.sinceMs : nowMs
    const page = pageOf(sentence, facts, sinceMs, form)
    if (page !== shown.page) write(page)
    shown = { sentence, sinceMs, page }
  }
}

function lines(write: (text: string) => void): Screen['show'] {
  let shown = { sentence: '', facts: '' }
  return (sentence, facts, nowMs) => {
    const factsText = JSON.stringify(facts)
    if (factsText !== shown.facts && facts.trust !== '') write(`${printable(facts.trust)}\n`)
    if (sentence !== shown.sentence) write(`${clockTime(nowMs)} ${printable(sentence)}\n`)
    shown = { sentence, facts: factsText }
  }
}

function clockTime(timeMs: number): string {
  return new Date(timeMs).toTimeString().slice(0, 8)
}
