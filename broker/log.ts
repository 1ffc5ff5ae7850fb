import { type DestinationStream, type Logger, pino } from 'pino'

/** Fields that hold a secret wherever they occur in a logged object, up to four levels deep. */
const SECRET_FIELDS = [
  'password',
  'oldPassword',
  'newPassword',
  'token',
  'deviceKey',
  'key',
  'privateKey',
  'secret',
  'ticket',
  'authorization',
  'cookie',
  '["set-cookie"]',
] as const
const CENSOR = '[secret]'

/**
 * What looks like a secret in running text: our tokens, and what follows the name of a scheme in an
 * authorization header.
 */
const SECRET_TEXT: ReadonlyArray<readonly [pattern: RegExp, instead: string]> = [
  [/\bberth_[\w-]{20,}/g, CENSOR],
  [/\b(Bearer|Device|Basic) [\w+/=.~-]{8,}/gi, `$1 ${CENSOR}`],
]

/**
 * The broker's log: JSON lines on standard output, or to `to`. Secrets are taken out, by the name
 * of their field and by their look.
 */
export function openLog(level: string, to?: DestinationStream): Logger {
  const options = {
    level,
    redact: {
      paths: SECRET_FIELDS.flatMap((field) =>
        ['', '*', '*.*', '*.*.*'].map((depth) =>
          depth === '' || field.startsWith('[') ? `${depth}${field}` : `${depth}.${field}`,
        ),
      ),
      censor: CENSOR,
    },
    hooks: {
      streamWrite: (line: string) =>
        SECRET_TEXT.reduce((text, [pattern, instead]) => text.replace(pattern, instead), line),
    },
  }
  return to ? pino(options, to) : pino(options)
}
