import { spawn } from 'node:child_process'
import type { FindProgram } from './display.js'
import { type Log, printable } from './log.js'
import { XTERM_LOOK } from './login-window.js'
import { boundTo } from './programs.js'

/** Where the viewer is: the X display and the file that opens it. */
export type ViewerDisplay = Readonly<Record<string, string>>

const COLUMNS = 56
const SHOWN_SECONDS = 60
/** Neither managed nor focused (Xlib, override-redirect): it lies over a viewer that fills the screen, and takes no key from it. */
const OVER_EVERYTHING = ['-xrm', '*overrideRedirect: true', '-bw', '3', '-geometry']

/** The text in lines of at most so many columns, broken between words. */
export function wrapped (text: string, columns: number): string[] {
  const lines = ['']
  for (const word of printable(text).split(/\s+/)) {
    const last = lines.at(-1) ?? ''
    if (last !== '' && last.length + 1 + word.length > columns) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}

/** Shows a sentence over the viewer for a minute. It must not disturb the viewer: whatever fails here is only logged. Gives what ends it. */
export function showNotice (sentence: string, display: ViewerDisplay, find: FindProgram, log: Log): () => void {
  const xterm = find('xterm')
  if (xterm === undefined || display['DISPLAY'] === undefined) {
    log('warning', `Not shown over the viewer, since ${xterm === undefined ? 'xterm is not installed' : 'it is on no X display'}: ${sentence}`)
    return () => undefined
  }
  const lines = wrapped(sentence, COLUMNS - 4)
  const words: [string, ...string[]] = [xterm, ...XTERM_LOOK, '-fg', 'black', '-bg', 'orange', ...OVER_EVERYTHING, `${COLUMNS}x${lines.length + 2}-24+24`, '-e', '/bin/sh', '-c', 'printf "\\033[?25l\\n"; printf "  %s\\n" "$@"; exec sleep "$0"', String(SHOWN_SECONDS), ...lines]
  const [program, ...args] = boundTo(find, words)
  const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...display } })
  child.on('error', error => log('warning', `A notice cannot be shown: ${error.message}.`))
  log('info', `Shown over the viewer: ${sentence}`)
  return () => { child.kill('SIGTERM') }
}
