/**
 * The database of a test: SQLite, or PostgreSQL where BERTH_TEST_STORE is the URL of a server's
 * database (`test/postgresql with` starts one for a run).
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import pg from 'pg'
import { SQLITE_FILE } from '../../broker/foundation.js'
import { openStore } from '../../broker/store/open.js'
import { until } from './until.js'

const SERVER = process.env['BERTH_TEST_STORE'] ?? ''
export const IS_POSTGRESQL = SERVER !== ''
const [BOOL, INT8, NUMERIC] = [16, 20, 1700]

/** A database of a broker's own, looked at and changed from outside of it; `?` stands for a value. */
export interface OutsideDatabase {
  rows<T>(sql: string, values: readonly unknown[]): Promise<T[]>
  close(): Promise<void>
}

/** A database with the newest schema, of which those of the tests are copies: that is quicker. */
const TEMPLATE = 'berth_template'
/** https://www.postgresql.org/docs/15/errcodes-appendix.html */
const NO_SUCH_DATABASE = '3D000'
const IN_USE = '55006'
const TAKEN: readonly unknown[] = ['42P04', '23505']

/** The URL of a new database on the server of this run. */
async function createDatabase(): Promise<string> {
  const name = `test_${randomBytes(8).toString('hex')}`
  return await until(
    async () => {
      try {
        await onServer(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE} STRATEGY file_copy`)
        return urlOf(name)
      } catch (error) {
        const { code } = error as { code?: string }
        if (code === NO_SUCH_DATABASE) await createTemplate()
        else if (code !== IN_USE) throw error
        return null // somebody else is copying it, or it is there now
      }
    },
    { withinMs: 30_000, everyMs: 5, what: 'the database is there' },
  )
}

async function createTemplate(): Promise<void> {
  const name = `${TEMPLATE}_${randomBytes(4).toString('hex')}`
  await onServer(`CREATE DATABASE ${name}`)
  await (await openStore(urlOf(name))).destroy()
  try {
    await onServer(`ALTER DATABASE ${name} RENAME TO ${TEMPLATE}`)
  } catch (error) {
    // Another process was quicker.
    if (!TAKEN.includes((error as { code?: unknown }).code)) throw error
    await onServer(`DROP DATABASE ${name} WITH (FORCE)`)
  }
}

/**
 * Where the database of a test is that keeps its files in this directory: the same each time that
 * it is asked for.
 */
export async function databaseIn(directory: string, file = SQLITE_FILE): Promise<string> {
  const path = join(directory, file)
  if (!IS_POSTGRESQL) return path
  const known = places.get(path) ?? createDatabase()
  places.set(path, known)
  return await known
}
const places = new Map<string, Promise<string>>()

/** Removes the database of a directory that is removed, too. */
export async function dropDatabaseIn(directory: string): Promise<void> {
  const path = join(directory, SQLITE_FILE)
  const known = await places.get(path)
  if (!IS_POSTGRESQL || known === undefined) return
  places.delete(path)
  await onServer(`DROP DATABASE ${new URL(known).pathname.slice(1)} WITH (FORCE)`)
}

/** Where a database is that nobody else sees. */
export async function emptyDatabase(): Promise<string> {
  return IS_POSTGRESQL ? await createDatabase() : ':memory:'
}

/** Opens what `databaseIn` gave. */
export async function openOutside(where: string): Promise<OutsideDatabase> {
  if (!IS_POSTGRESQL) return ofFile(where)
  const client = new pg.Client({
    connectionString: where,
    types: {
      getTypeParser: (type: number, format?: 'text' | 'binary') =>
        type === INT8 || type === NUMERIC
          ? Number
          : type === BOOL
            ? (text: string) => (text === 't' ? 1 : 0)
            : (pg.types.getTypeParser(type, format) as (text: string) => unknown),
    },
  })
  client.on('error', () => {})
  await client.connect()
  return {
    rows: async <T>(sql: string, values: readonly unknown[]) => {
      let number = 0
      const text = sql.replaceAll('?', () => `$${(number += 1)}`)
      return (await client.query(text, [...values])).rows as T[]
    },
    close: async () => {
      await client.end()
    },
  }
}

function ofFile(path: string): OutsideDatabase {
  if (!existsSync(path)) throw new Error(`there is no database ${path}`)
  const database = new Database(path)
  return {
    rows: async <T>(sql: string, values: readonly unknown[]) => {
      const statement = database.prepare(sql)
      if (statement.reader) return statement.all(...values) as T[]
      statement.run(...values)
      return []
    },
    close: async () => {
      database.close()
    },
  }
}

async function onServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: SERVER })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

function urlOf(name: string): string {
  const url = new URL(SERVER)
  url.pathname = `/${name}`
  return url.href
}
