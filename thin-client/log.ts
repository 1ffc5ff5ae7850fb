/** systemd reads the priority of a line from a prefix (sd-daemon(3)); elsewhere the word is for the reader. */
const LEVELS = {
  error: ['<3>', 'error: '],
  warning: ['<4>', 'warning: '],
  info: ['<6>', ''],
  debug: ['<7>', ''],
} as const
export type Level = keyof typeof LEVELS
export type Log = (level: Level, message: string) => void

/** Control characters would let another end write lines of its own into the log or move the cursor of a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim()
}

export function logTo(write: (line: string) => void, underJournal: boolean): Log {
  return (level, message) => write(`${LEVELS[level][underJournal ? 0 : 1]}${printable(message)}\n`)
}
