import Database from 'better-sqlite3'
import { BrokerError } from '../errors.js'

/**
 * Faults of the database itself (https://sqlite.org/rescode.html) and of its disk (errno(3)), not
 * of what was asked of them.
 */
const FAULTS = [
  {
    code: 'store_busy',
    sqlite: /^SQLITE_(BUSY|LOCKED|PROTOCOL)/,
    system: [],
    what: 'another program has locked the database',
  },
  {
    code: 'store_full',
    sqlite: /^SQLITE_FULL/,
    system: ['ENOSPC', 'EDQUOT'],
    what: "the disk that holds the broker's data is full",
  },
  {
    code: 'store_unwritable',
    sqlite: /^SQLITE_(READONLY|IOERR|CANTOPEN|CORRUPT|NOTADB)/,
    system: ['EROFS', 'EIO', 'EMFILE', 'ENFILE'],
    what: "the broker's data cannot be read or written",
  },
] as const

/**
 * Whether something failed since the database or its disk does: what is done about it then is the
 * broker's own affair.
 */
export function isStoreFault(error: unknown): boolean {
  return error instanceof BrokerError
    ? FAULTS.some(({ code }) => code === error.code)
    : storeFault(error) !== null
}

/**
 * What a failure of the database, or of a file beside it, means for the one who asked; null when
 * neither is at fault.
 */
export function storeFault(error: unknown): BrokerError | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  const { code } = error
  const fault =
    error instanceof Database.SqliteError
      ? FAULTS.find(({ sqlite }) => sqlite.test(code))
      : FAULTS.find(({ system }) => (system as readonly string[]).includes(code))
  if (!fault) return null
  return new BrokerError(
    fault.code,
    `Nothing was changed: ${fault.what} (${code}). Try again; the broker's administrator ` +
      'finds the reason in /readyz and in its log.',
    { cause: error },
  )
}
