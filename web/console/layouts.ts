import { type Key, KEYS, keysymOf, press, type Sender } from './keys.js'

/** A key of a layout: its place, and what it gives alone, with Shift, with AltGr, with both. */
export interface LayoutKey {
  readonly code: string
  readonly levels: readonly string[]
}
export const LAYOUTS = { us: 'English (US)', lt: 'Lietuvių', de: 'Deutsch' } as const
export type LayoutName = keyof typeof LAYOUTS

const CODES: readonly string[][] = [
  [
    'Backquote',
    'Digit1',
    'Digit2',
    'Digit3',
    'Digit4',
    'Digit5',
    'Digit6',
    'Digit7',
    'Digit8',
    'Digit9',
    'Digit0',
    'Minus',
    'Equal',
  ],
  [
    'KeyQ',
    'KeyW',
    'KeyE',
    'KeyR',
    'KeyT',
    'KeyY',
    'KeyU',
    'KeyI',
    'KeyO',
    'KeyP',
    'BracketLeft',
    'BracketRight',
    'Backslash',
  ],
  ['KeyA', 'KeyS', 'KeyD', 'KeyF', 'KeyG', 'KeyH', 'KeyJ', 'KeyK', 'KeyL', 'Semicolon', 'Quote'],
  [
    'IntlBackslash',
    'KeyZ',
    'KeyX',
    'KeyC',
    'KeyV',
    'KeyB',
    'KeyN',
    'KeyM',
    'Comma',
    'Period',
    'Slash',
  ],
]
/**
 * A key's levels are written together; `_` alone stands for a key that gives nothing, since it is
 * dead or not there. As in xkeyboard-config's symbols.
 */
const US = [
  '`~ 1! 2@ 3# 4$ 5% 6^ 7& 8* 9( 0) -_ =+',
  'qQ wW eE rR tT yY uU iI oO pP [{ ]} \\|',
  'aA sS dD fF gG hH jJ kK lL ;: \'"',
  '_ zZ xX cC vV bB nN mM ,< .> /?',
]
const WRITTEN: Readonly<Record<LayoutName, readonly string[]>> = {
  us: US,
  lt: [
    '`~ ąĄ1! čČ2@ ęĘ3# ėĖ4$ įĮ5% šŠ6^ ųŲ7& ūŪ8* „(9( “)0) -_ žŽ=+',
    'qQ wW eE€ rR tT yY uU iI oO pP [{ ]} \\|',
    US[2] ?? '',
    '–€ zZ xX cC vV bB nN mM ,< .> /?',
  ],
  de: [
    '_ 1! 2"² 3§³ 4$ 5% 6& 7/{ 8([ 9)] 0=} ß?\\ _',
    "qQ@ wW eE€ rR tT zZ uU iI oO pP üÜ +*~ #'",
    'aA sS dD fF gG hH jJ kK lL öÖ äÄ',
    '<>| yY xX cC vV bB nN mMµ ,; .: -_',
  ],
}

/** The rows of keys that give characters. Pure. */
export function rowsOf(layout: LayoutName): LayoutKey[][] {
  return CODES.map((codes, row) => {
    const written = (WRITTEN[layout][row] ?? '').split(' ')
    return codes.map((code, column) => ({
      code,
      levels: written[column] === '_' ? [] : [...(written[column] ?? '')],
    }))
  })
}

/** The keys that give this character on a keyboard of this layout, those that are held first; null: none do. Pure. */
export function keysFor(character: string, layout: LayoutName): Key[] | null {
  if (character === '\n' || character === '\r') return [KEYS.enter]
  if (character === '\t') return [KEYS.tab]
  if (character === ' ') return [KEYS.space]
  for (const { code, levels } of rowsOf(layout).flat()) {
    const level = levels.indexOf(character)
    if (level >= 0)
      return [
        ...(level >= 2 ? [KEYS.altGr] : []),
        ...(level % 2 === 1 ? [KEYS.shift] : []),
        { keysym: keysymOf(character), code },
      ]
  }
  return null
}

/** What of a text that keyboard does not have: each character once, in its order. Pure. */
export function missingFrom(layout: LayoutName, text: string): string[] {
  return [...new Set(text.replace(/\r\n?/g, '\n'))].filter(
    (character) => keysFor(character, layout) === null,
  )
}

/**
 * Types one character; what the layout has no key for is sent by its name alone, which guests with
 * such a keyboard understand.
 */
export function typeCharacter(to: Sender, character: string, layout: LayoutName): void {
  press(to, keysFor(character, layout) ?? [{ keysym: keysymOf(character), code: '' }])
}

/** A guest's keyboard takes a few keys at a time; faster, and some are lost. */
const BETWEEN_KEYS_MS = 25

/** Types a text, key after key; `onProgress` hears how many characters are done. Ends early when aborted. */
export async function typeText(
  to: Sender,
  text: string,
  layout: LayoutName,
  signal: AbortSignal,
  onProgress: (done: number) => void,
): Promise<void> {
  const characters = [...text.replace(/\r\n?/g, '\n')]
  for (const [index, character] of characters.entries()) {
    if (signal.aborted) return
    typeCharacter(to, character, layout)
    onProgress(index + 1)
    await new Promise((resolve) => {
      setTimeout(resolve, BETWEEN_KEYS_MS)
    })
  }
}
