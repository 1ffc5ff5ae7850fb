import {
  type ColumnNode,
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
  type RootOperationNode,
  type TableNode,
  type TransactionSettings,
} from 'kysely'
import { StoreAway } from './faults.js'

/**
 * What is noted at each login changes nobody's permissions: those who wait for changes of the
 * table are not told.
 */
const QUIET_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  account: ['last_login_at'],
  token: ['last_used_at'],
  web_session: ['seen_at'],
}

export type WriteKind = 'insert' | 'update' | 'delete'
export type OnWrite = (table: string, kind: WriteKind) => void

interface Write {
  readonly table: string
  readonly kind: WriteKind
}

/**
 * A driver that tells which tables were written: after the commit, and not at all when the
 * transaction was rolled back. Nothing is said of statements in plain SQL.
 */
export class TellingDriver implements Driver {
  readonly #connections = new WeakMap<DatabaseConnection, TellingConnection>()

  constructor(
    readonly inner: Driver,
    readonly onWrite: OnWrite,
  ) {}

  async init(): Promise<void> {
    await this.inner.init()
  }

  async acquireConnection(): Promise<TellingConnection> {
    const inner = await this.inner.acquireConnection()
    const known = this.#connections.get(inner)
    if (known) return known
    const connection = new TellingConnection(inner, this.onWrite)
    this.#connections.set(inner, connection)
    return connection
  }

  async beginTransaction(
    connection: TellingConnection,
    settings: TransactionSettings,
  ): Promise<void> {
    await this.inner.beginTransaction(connection.inner, settings)
    connection.holdBack()
  }

  async commitTransaction(connection: TellingConnection): Promise<void> {
    try {
      await this.inner.commitTransaction(connection.inner)
    } catch (error) {
      // A listener that is told in vain reads once too often; one that is not told shows stale data.
      if (error instanceof StoreAway && error.isUnsure) connection.tell()
      throw error
    }
    connection.tell()
  }

  async rollbackTransaction(connection: TellingConnection): Promise<void> {
    connection.forget()
    await this.inner.rollbackTransaction(connection.inner)
  }

  async releaseConnection(connection: TellingConnection): Promise<void> {
    connection.forget()
    await this.inner.releaseConnection(connection.inner)
  }

  async destroy(): Promise<void> {
    await this.inner.destroy()
  }
}

class TellingConnection implements DatabaseConnection {
  /** By table and kind, since a transaction may write a thousand rows; null outside of transactions. */
  #heldBack: Map<string, Write> | null = null

  constructor(
    readonly inner: DatabaseConnection,
    readonly onWrite: OnWrite,
  ) {}

  holdBack(): void {
    this.#heldBack = new Map()
  }

  tell(): void {
    const writes = this.#heldBack?.values() ?? []
    this.#heldBack = null
    for (const { table, kind } of writes) this.onWrite(table, kind)
  }

  forget(): void {
    this.#heldBack = null
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const result = await this.inner.executeQuery<R>(query)
    // Keepers ask every second whether something is due: a statement that found no row has changed nothing.
    if (result.rows.length > 0 || (result.numAffectedRows ?? 0n) > 0n) this.#note(query.query)
    return result
  }

  streamQuery<R>(query: CompiledQuery, size: number): AsyncIterableIterator<QueryResult<R>> {
    return this.inner.streamQuery<R>(query, size)
  }

  #note(node: RootOperationNode): void {
    const table = writtenTable(node)
    if (table === null) return
    const kind = kindOf(node)
    if (this.#heldBack === null) this.onWrite(table, kind)
    else this.#heldBack.set(`${table} ${kind}`, { table, kind })
  }
}

function kindOf({ kind }: RootOperationNode): WriteKind {
  return kind === 'InsertQueryNode' ? 'insert' : kind === 'DeleteQueryNode' ? 'delete' : 'update'
}

function writtenTable(node: RootOperationNode): string | null {
  if (node.kind === 'InsertQueryNode') return node.into?.table.identifier.name ?? null
  const written =
    node.kind === 'UpdateQueryNode'
      ? node.table
      : node.kind === 'DeleteQueryNode'
        ? node.from.froms[0]
        : undefined
  if (written?.kind !== 'TableNode') return null
  const table = (written as TableNode).table.identifier.name
  return isQuiet(node, table) ? null : table
}

function isQuiet(node: RootOperationNode, table: string): boolean {
  const quiet = QUIET_COLUMNS[table]
  if (quiet === undefined || node.kind !== 'UpdateQueryNode') return false
  return (node.updates ?? []).every(
    ({ column }) =>
      column.kind === 'ColumnNode' && quiet.includes((column as ColumnNode).column.name),
  )
}
