import Database from 'better-sqlite3'
import pg from 'pg'

type Methods = Record<'all' | 'get' | 'run', Run>
type Run = (this: Database.Statement, ...values: unknown[]) => unknown

/**
 * Counts the statements that this process gives to its database, to show how much work something makes;
 * call `stop` at the end.
 */
export class Statements {
  readonly #texts: string[] = []
  readonly #before = new Map<'all' | 'get' | 'run', Run>()
  readonly #prototype: Methods
  readonly #query = pg.Client.prototype.query as (...values: unknown[]) => unknown

  constructor() {
    const database = new Database(':memory:')
    this.#prototype = Object.getPrototypeOf(database.prepare('SELECT 1')) as Methods
    database.close()
    const texts = this.#texts
    for (const method of ['all', 'get', 'run'] as const) {
      const before = this.#prototype[method]
      this.#before.set(method, before)
      this.#prototype[method] = function (...values) {
        texts.push(this.source)
        return before.apply(this, values)
      }
    }
    const query = this.#query
    pg.Client.prototype.query = function (this: pg.Client, ...values: unknown[]) {
      const [asked] = values as [{ text?: string } | string]
      texts.push(typeof asked === 'string' ? asked : (asked.text ?? ''))
      return query.apply(this, values)
    } as typeof pg.Client.prototype.query
  }

  /** Those since the last call whose text has all of these words. */
  take(...words: readonly string[]): string[] {
    return this.#texts.splice(0).filter((text) => words.every((word) => text.includes(word)))
  }

  stop(): void {
    for (const [method, before] of this.#before) this.#prototype[method] = before
    pg.Client.prototype.query = this.#query as typeof pg.Client.prototype.query
  }
}
