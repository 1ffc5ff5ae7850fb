import { type ChildProcess, spawn } from 'node:child_process'
import type { FindProgram } from './display.js'
import { type Log, printable } from './log.js'
import { XTERM_LOOK } from './login-window.js'
import { boundTo } from './programs.js'

/** Where the viewer is: the X display and the file that opens it. */
export type ViewerDisplay = Readonly<Record<string, string>>

const COLUMNS = 56
/**
 * Neither managed nor focused (Xlib, override-redirect): it lies over a viewer that fills the
 * screen, and takes no key from it. `-u8`: the text is UTF-8 whatever the locale.
 */
const OVER_EVERYTHING = ['-u8', '-xrm', '*overrideRedirect: true', '-bw', '3', '-geometry']
/** A notice whose window is there for so long was opened. */
const OPENED_MS = 700

/**
 * warning: of the broker, before a desktop is taken; message: of an administrator. Each has its own
 * corner, so that neither hides the other.
 */
export type NoticeKind = 'warning' | 'message'
const LOOKS = {
  warning: { colours: ['-fg', 'black', '-bg', 'orange'], corner: '-24+24' },
  message: { colours: ['-fg', 'white', '-bg', '#004d99'], corner: '-24-24' },
} as const
export interface Notice {
  readonly kind: NoticeKind
  readonly text: string
  readonly seconds: number
}
export const WARNING_SECONDS = 60

/** `opened`: whether it can be seen; `end` closes it. */
export interface ShownNotice {
  readonly opened: Promise<boolean>
  readonly end: () => void
}

/** The text in lines of at most so many columns, broken between words, and within one that fits on no line. */
export function wrapped(text: string, columns: number): string[] {
  const lines = ['']
  for (const word of printable(text)
    .split(/\s+/)
    .flatMap((long) => long.match(new RegExp(`.{1,${columns}}`, 'gu')) ?? [])) {
    const last = lines.at(-1) ?? ''
    if (last !== '' && last.length + 1 + word.length > columns) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}

/** Why nothing can be shown over the viewer on this display, or null. */
export function noticeHindrance(display: ViewerDisplay, find: FindProgram): string | null {
  if (find('xterm') === undefined) return 'xterm is not installed'
  return display['DISPLAY'] === undefined ? 'it is on no X display' : null
}

/** Shows a text over the viewer for some time. It must not disturb the viewer: whatever fails here is only logged. */
export function showNotice(
  { kind, text, seconds }: Notice,
  display: ViewerDisplay,
  find: FindProgram,
  log: Log,
): ShownNotice {
  const hindrance = noticeHindrance(display, find)
  const xterm = find('xterm')
  if (hindrance !== null || xterm === undefined) {
    log('warning', `Not shown over the viewer, since ${hindrance ?? ''}: ${text}`)
    return { opened: Promise.resolve(false), end: () => undefined }
  }
  const words = wordsOf(xterm, { kind, text, seconds })
  const [program, ...args] = boundTo(find, words)
  const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...display } })
  child.on('error', (error) => log('warning', `A notice cannot be shown: ${error.message}.`))
  log('info', `Shown over the viewer: ${text}`)
  return {
    opened: opens(child),
    end: () => {
      child.kill('SIGTERM')
    },
  }
}

/** An xterm that shows the text and ends by itself. */
function wordsOf(xterm: string, { kind, text, seconds }: Notice): [string, ...string[]] {
  const lines = wrapped(text, COLUMNS - 4)
  const { colours, corner } = LOOKS[kind]
  // The text is an argument of printf's %s: neither the shell nor the terminal reads anything into
  // it, and printable() leaves no control character.
  return [
    xterm,
    ...XTERM_LOOK,
    ...colours,
    ...OVER_EVERYTHING,
    `${COLUMNS}x${lines.length + 2}${corner}`,
    '-e',
    '/bin/sh',
    '-c',
    'printf "\\033[?25l\\n"; printf "  %s\\n" "$@"; exec sleep "$0"',
    String(seconds),
    ...lines,
  ]
}

/** Whether it is there a moment later. */
async function opens(child: ChildProcess): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(true), OPENED_MS)
    const gone = (): void => {
      clearTimeout(timer)
      resolve(false)
    }
    child.once('error', gone).once('exit', gone)
  })
}
