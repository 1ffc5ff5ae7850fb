/*
 * What comes from the broker is shown on a terminal, which obeys control characters: a machine's
 * message could move the cursor, change the window title or hide what follows. C0, DEL and C1
 * controls go, and the characters that reverse the direction of text.
 */
const DANGEROUS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g
const DANGEROUS_IN_TEXT =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g
/** JSON.stringify escapes C0 only. */
const UNESCAPED_BY_JSON = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** One safe line: every control character becomes a question mark, line ends a space. */
export function plainLine(text: string): string {
  return text.replace(/\s*[\r\n\t]+\s*/g, ' ').replace(DANGEROUS, '?')
}

/** Safe text of several lines: line ends and tabs stay. */
export function plainText(text: string): string {
  return text.replace(DANGEROUS_IN_TEXT, '?')
}

/** Gives the same JSON value, written without any character that a terminal obeys. */
export function escapeForTerminal(json: string): string {
  return json.replace(
    UNESCAPED_BY_JSON,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Whether a string needs escapes to be shown. */
export function isDangerous(text: string): boolean {
  return plainText(text) !== text
}
