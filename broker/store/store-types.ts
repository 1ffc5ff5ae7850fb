import type { Kysely, Transaction } from 'kysely'
import type { Tables } from './tables.js'
import type { OnWrite } from './written-tables.js'

export type Store = Kysely<Tables>
/** Inside `inTransaction`, or the store itself. */
export type Queries = Store | Transaction<Tables>

export interface StoreOptions {
  /**
   * Hears the name of the table of every statement that changed a row, after its transaction is
   * committed; nothing is said of statements in plain SQL.
   */
  readonly onWrite?: OnWrite
  /** PostgreSQL: no other broker may have it open; of a file, the lock of its directory sees to that. */
  readonly exclusive?: boolean
  /**
   * PostgreSQL, with `exclusive`: another broker has worked with it, or does. Nothing more is written
   * then, and what this process knows is no longer true: end it.
   */
  readonly onLost?: () => void
  /** PostgreSQL: the file that holds the password; '': none is needed. */
  readonly passwordFile?: string
}
