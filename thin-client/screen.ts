import { printable } from './log.js'

export interface ScreenFacts {
  readonly device: string
  readonly macs: readonly string[]
  readonly broker: string
  /** The fingerprint of the broker's CA and where it comes from; empty while unknown. */
  readonly trust: string
}

export interface Screen { show: (sentence: string, facts: ScreenFacts, nowMs: number) => void }

/** ANSI (ECMA-48): clear the screen, cursor to the top left, cursor hidden. */
const CLEAR = '\u001b[2J\u001b[H\u001b[?25l'

/** What a terminal shows: the sentence, since when, and who this device and its broker are. */
export function pageOf (sentence: string, facts: ScreenFacts, sinceMs: number): string {
  const lines = ['', '  Berth', '', `  ${printable(sentence)}`, `  Since ${clockTime(sinceMs)}.`, '', `  This device: ${[facts.device, ...facts.macs].filter(Boolean).join('  ')}`, `  Broker: ${facts.broker}`]
  if (facts.trust !== '') lines.push(`  ${facts.trust}`)
  return `${CLEAR}${lines.map(line => printable(line) === '' ? '' : `  ${printable(line)}`).join('\r\n')}\r\n`
}

/** Writes a clean page to a terminal, and one plain line elsewhere; a sentence that stays is not written again. */
export function screenOn (write: (text: string) => void, terminal: boolean): Screen {
  let shown: { sentence: string, sinceMs: number, facts: string } | undefined
  return {
    show: (sentence, facts, nowMs) => {
      const sinceMs = shown?.sentence === sentence ? shown.sinceMs : nowMs
      const factsText = JSON.stringify(facts)
      const sameSentence = shown?.sentence === sentence
      const sameFacts = shown?.facts === factsText
      shown = { sentence, sinceMs, facts: factsText }
      if (terminal && !(sameSentence && sameFacts)) write(pageOf(sentence, facts, sinceMs))
      if (!terminal && !sameFacts && facts.trust !== '') write(`${printable(facts.trust)}\n`)
      if (!terminal && !sameSentence) write(`${clockTime(nowMs)} ${printable(sentence)}\n`)
    },
  }
}

function clockTime (timeMs: number): string {
  return new Date(timeMs).toTimeString().slice(0, 8)
}
