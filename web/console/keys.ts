/** A key with its keysym (X11's keysymdef.h) and its place on a keyboard (KeyboardEvent.code). */
export interface Key {
  readonly keysym: number
  readonly code: string
}

export const KEYS = {
  enter: { keysym: 0xff0d, code: 'Enter' },
  tab: { keysym: 0xff09, code: 'Tab' },
  backspace: { keysym: 0xff08, code: 'Backspace' },
  escape: { keysym: 0xff1b, code: 'Escape' },
  delete: { keysym: 0xffff, code: 'Delete' },
  space: { keysym: 0x20, code: 'Space' },
  left: { keysym: 0xff51, code: 'ArrowLeft' },
  up: { keysym: 0xff52, code: 'ArrowUp' },
  right: { keysym: 0xff53, code: 'ArrowRight' },
  down: { keysym: 0xff54, code: 'ArrowDown' },
  shift: { keysym: 0xffe1, code: 'ShiftLeft' },
  control: { keysym: 0xffe3, code: 'ControlLeft' },
  alt: { keysym: 0xffe9, code: 'AltLeft' },
  altGr: { keysym: 0xfe03, code: 'AltRight' },
  super: { keysym: 0xffeb, code: 'MetaLeft' },
  print: { keysym: 0xff61, code: 'PrintScreen' },
} as const satisfies Record<string, Key>

export function functionKey(number: number): Key {
  return { keysym: 0xffbe + number - 1, code: `F${number}` }
}

/** Pressed in this order, released in the other. */
export const COMBINATIONS: ReadonlyArray<{ readonly name: string; readonly keys: readonly Key[] }> =
  [
    { name: 'Ctrl-Alt-Del', keys: [KEYS.control, KEYS.alt, KEYS.delete] },
    { name: 'Alt-Tab', keys: [KEYS.alt, KEYS.tab] },
    { name: 'Alt-F4', keys: [KEYS.alt, functionKey(4)] },
    { name: 'Super', keys: [KEYS.super] },
    { name: 'Super-L', keys: [KEYS.super, { keysym: 0x6c, code: 'KeyL' }] },
    { name: 'Ctrl-Alt-F1', keys: [KEYS.control, KEYS.alt, functionKey(1)] },
    { name: 'Ctrl-Alt-F2', keys: [KEYS.control, KEYS.alt, functionKey(2)] },
    { name: 'Esc', keys: [KEYS.escape] },
    { name: 'Tab', keys: [KEYS.tab] },
    { name: 'Print', keys: [KEYS.print] },
  ]

const UNICODE_KEYSYMS = 0x01000000

/** Latin-1 as it is, the rest of Unicode in its own block (X11, keysymdef.h). Pure. */
export function keysymOf(character: string): number {
  const point = character.codePointAt(0) ?? 0
  if (character === '\n' || character === '\r') return KEYS.enter.keysym
  if (character === '\t') return KEYS.tab.keysym
  return point < 0x100 ? point : UNICODE_KEYSYMS | point
}

/** What keys are sent with: noVNC's RFB has it. */
export interface Sender {
  sendKey(keysym: number, code: string, down?: boolean): void
}

export function press(to: Sender, keys: readonly Key[]): void {
  for (const { keysym, code } of keys) to.sendKey(keysym, code, true)
  for (const { keysym, code } of [...keys].reverse()) to.sendKey(keysym, code, false)
}
