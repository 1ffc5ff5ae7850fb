import Database from 'better-sqlite3'
import { DatabaseError } from 'pg'
import { BrokerError, refusal } from '../errors/broker-error.js'
import { REASONS } from '../errors/reasons.js'

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
    sqlite: /^SQLITE_(BUSY|LOCKED|PROTOCOL)/,
    postgresql: /^(40001|40P01|55P03)$/,
    system: [],
    reason: 'store_locked',
  },
  {
    sqlite: NEVER,
    postgresql: /^53300$/,
    system: [],
    reason: 'store_crowded',
  },
  {
    sqlite: NEVER,
    postgresql: /^57014$/,
    system: [],
    reason: 'store_slow',
  },
  {
    sqlite: /^SQLITE_FULL/,
    postgresql: /^53100$/,
    system: ['ENOSPC', 'EDQUOT'],
    reason: 'store_full',
  },
  {
    sqlite: /^SQLITE_(READONLY|IOERR|CANTOPEN|CORRUPT|NOTADB)/,
    // Connections, logins, memory, servers that start or stop, standbys, disks, damaged files.
    postgresql: /^(08...|25006|28...|3D000|53[02]00|57P0.|58...|XX00[12])$/,
    system: ['EROFS', 'EIO', 'EMFILE', 'ENFILE'],
    reason: 'store_unwritable',
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
    ? FAULTS.some(({ reason }) => REASONS[reason].code === error.code)
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
  const isUnsure = error instanceof StoreAway && error.isUnsure
  return refusal(isUnsure ? 'store_unsure' : fault.reason, { fault: error.code }, { cause: error })
}

function faultOf(error: Error, code: string): (typeof FAULTS)[number] | undefined {
  if (error instanceof StoreCrowded) return FAULTS.find((one) => one.reason === 'store_locked')
  if (error instanceof StoreAway) return FAULTS.find((one) => one.reason === 'store_unwritable')
  if (error instanceof Database.SqliteError) return FAULTS.find(({ sqlite }) => sqlite.test(code))
  if (error instanceof DatabaseError) return FAULTS.find((one) => one.postgresql.test(code))
  return FAULTS.find(({ system }) => (system as readonly string[]).includes(code))
}
