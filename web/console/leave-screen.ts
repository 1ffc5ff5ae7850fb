import type { KeyboardEvent } from 'react'
import { KEYS, type Sender } from './keys.js'

const HELD: readonly string[] = ['Control', 'Alt', 'Shift']

/**
 * Whether these keys are the way out of a screen, which takes every other key for itself: Ctrl, Alt
 * and Shift together, as in Guacamole. Pure.
 */
export function isWayOut({
  key,
  ctrlKey,
  altKey,
  shiftKey,
}: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'altKey' | 'shiftKey'>): boolean {
  return HELD.includes(key) && ctrlKey && altKey && shiftKey
}

/** Brings the focus from the screen to its tools; the guest does not believe for ever that the keys are held. */
export function leaveScreen(event: KeyboardEvent, to: Sender): void {
  if (!isWayOut(event)) return
  event.preventDefault()
  event.stopPropagation()
  for (const { keysym, code } of [KEYS.control, KEYS.alt, KEYS.shift])
    to.sendKey(keysym, code, false)
  document.querySelector<HTMLElement>('[role=toolbar] button')?.focus()
}
