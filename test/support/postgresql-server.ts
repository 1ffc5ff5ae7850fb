/** A PostgreSQL server that a test may stop, start and fill: see test/postgresql. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'

const SCRIPT = 'test/postgresql'

export class PostgresqlServer {
  readonly folder = mkdtempSync(join('/tmp', 'berth-postgresql-'))
  #url = ''

  /** `options`: of the server, such as `-cmax_connections=20`. */
  start(...options: readonly string[]): this {
    // What is committed is kept when it is stopped.
    const all = ['start', this.folder, '-csynchronous_commit=on', ...options]
    this.#url = execFileSync(SCRIPT, all, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }).trim()
    return this
  }

  /** As a power cut would. */
  stop(): void {
    execFileSync(SCRIPT, ['stop', this.folder])
  }

  remove(): void {
    execFileSync(SCRIPT, ['remove', this.folder])
  }

  /** Of the server and its connections. */
  processes(): number[] {
    const [first = ''] = readFileSync(join(this.folder, 'data', 'postmaster.pid'), 'utf8').split(
      '\n',
    )
    const children = execFileSync('pgrep', ['--parent', first], { encoding: 'utf8' })
    return [Number(first), ...children.trim().split('\n').map(Number)]
  }

  /** From the next reading of its settings on. */
  askForPassword(user: string): void {
    const file = join(this.folder, 'data', 'pg_hba.conf')
    writeFileSync(file, `local all ${user} scram-sha-256\n${readFileSync(file, 'utf8')}`)
  }

  /** The URL of a database, for the superuser or for somebody else. */
  urlOf(database: string, user = 'berth'): string {
    const url = new URL(this.#url)
    url.pathname = `/${database}`
    url.searchParams.set('user', user)
    return url.href
  }

  /** Makes a database, and gives its URL. `how`: such as "LOCALE 'C.UTF-8' TEMPLATE template0". */
  async create(name: string, how = ''): Promise<string> {
    await this.run('postgres', `CREATE DATABASE ${name} ${how}`)
    return this.urlOf(name)
  }

  /** Rows of a statement in plain SQL. */
  async run<T = Record<string, unknown>>(database: string, sql: string): Promise<T[]> {
    const client = new pg.Client({ connectionString: this.urlOf(database) })
    await client.connect()
    try {
      return (await client.query(sql)).rows as T[]
    } finally {
      await client.end()
    }
  }
}
