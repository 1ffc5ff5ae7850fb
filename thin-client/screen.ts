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
  let shown: { sentence: string; sinceMs: number; facts: string; form: string } | undefined
  return {
    show: (sentence, facts, nowMs, form = []) => {
      const sinceMs = shown?.sentence === sentence ? shown.sinceMs : nowMs
      const factsText = JSON.stringify(facts)
      const sameSentence = shown?.sentence === sentence
      const sameFacts = shown?.facts === factsText
      const sameForm = shown?.form === form.join('\n')
      shown = { sentence, sinceMs, facts: factsText, form: form.join('\n') }
      if (terminal && !(sameSentence && sameFacts && sameForm))
        write(pageOf(sentence, facts, sinceMs, form))
      if (!terminal && !sameFacts && facts.trust !== '') write(`${printable(facts.trust)}\n`)
      if (!terminal && !sameSentence) write(`${clockTime(nowMs)} ${printable(sentence)}\n`)
    },
  }
}

function clockTime(timeMs: number): string {
  return new Date(timeMs).toTimeString().slice(0, 8)
}
