import Database from 'better-sqlite3'
import { DatabaseError } from 'pg'
import { BrokerError } from '../errors.js'

/** A database server did not answer: it may be there again at the next try. */
export class StoreAway extends Error {
  override readonly name = 'StoreAway'
  readonly code: string

  /** `isUnsure`: what was asked for may have been done, since only the answer is known to be lost. */
  constructor(
    cause: unknown,
    readonly isUnsure = false,
  ) {
    super('the database server does not answer', { cause })
    this.code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer'
  }
}

/** What SQLite has no code for. */
const NEVER = /^$/
/**
 * Faults of the database itself (https://sqlite.org/rescode.html,
 * https://www.postgresql.org/docs/15/errcodes-appendix.html) and of its disk (errno(3)), not of
 * what was asked of them.
 */
const FAULTS = [
  {
    code: 'store_busy',
    sqlite: /^SQLITE_(BUSY|LOCKED|PROTOCOL)/,
    postgresql: /^(40001|40P01|55P03)$/,
    system: [],
    what: 'another program has locked the database',
  },
  {
    code: 'store_busy',
    sqlite: NEVER,
    postgresql: /^53300$/,
    system: [],
    what: 'the database server takes no more connections',
  },
  {
    code: 'store_busy',
    sqlite: NEVER,
    postgresql: /^57014$/,
    system: [],
    what: 'the database took too long',
  },
  {
    code: 'store_full',
    sqlite: /^SQLITE_FULL/,
    postgresql: /^53100$/,
    system: ['ENOSPC', 'EDQUOT'],
    what: "the disk that holds the broker's data is full",
  },
  {
    code: 'store_unwritable',
    sqlite: /^SQLITE_(READONLY|IOERR|CANTOPEN|CORRUPT|NOTADB)/,
    // Connections, logins, memory, servers that start or stop, standbys, disks, damaged files.
    postgresql: /^(08...|25006|28...|3D000|53[02]00|57P0.|58...|XX00[12])$/,
    system: ['EROFS', 'EIO', 'EMFILE', 'ENFILE'],
    what: "the broker's data cannot be read or written",
  },
] as const
/** How many transactions wait, and for how long, is bounded: this one waited for too long. */
export class StoreCrowded extends Error {
  override readonly name = 'StoreCrowded'
  readonly code = 'crowded'
}

/** serialization_failure and deadlock_detected: rolled back because of another transaction. */
const REPEATED = /^40(001|P01)$/

/**
 * Whether something failed since the database or its disk does: what is done about it then is the
 * broker's own affair.
 */
export function isStoreFault(error: unknown): boolean {
  return error instanceof BrokerError
    ? FAULTS.some(({ code }) => code === error.code)
    : storeFault(error) !== null
}

/** Whether a transaction failed only because of another one, so that it may be done again. */
export function mustBeRepeated(error: unknown): boolean {
  return error instanceof DatabaseError && REPEATED.test(error.code ?? '')
}

/**
 * What a failure of the database, or of a file beside it, means for the one who asked; null when
 * neither is at fault.
 */
export function storeFault(error: unknown): BrokerError | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  const fault = faultOf(error, error.code)
  if (!fault) return null
  const outcome =
    error instanceof StoreAway && error.isUnsure
      ? `It is not known whether this was done: the database did not answer (${error.code}). Look, then try again`
      : `Nothing was changed: ${fault.what} (${error.code}). Try again`
  return new BrokerError(
    fault.code,
    `${outcome}; the broker's administrator finds the reason in /readyz and in its log.`,
    { cause: error },
  )
}

function faultOf(error: Error, code: string): (typeof FAULTS)[number] | undefined {
  if (error instanceof StoreCrowded) return FAULTS.find((one) => one.code === 'store_busy')
  if (error instanceof StoreAway) return FAULTS.find((one) => one.code === 'store_unwritable')
  if (error instanceof Database.SqliteError) return FAULTS.find(({ sqlite }) => sqlite.test(code))
  if (error instanceof DatabaseError) return FAULTS.find((one) => one.postgresql.test(code))
  return FAULTS.find(({ system }) => (system as readonly string[]).includes(code))
}
