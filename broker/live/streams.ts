import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { inBackground } from '../background.js'
import { BrokerError, refusal } from '../errors/broker-error.js'
import type { Caller } from '../users/caller.js'
import type { Changes } from './changes.js'

/** A browser opens one for each window; some windows of one login are usual. */
const MOST_OF_LOGIN = 20
const MOST_OF_PERSON = 500
const MOST_IN_ALL = 20_000
/**
 * A page that hears nothing for much longer takes the line for broken. Also the time within which a
 * login that has ended is noticed, where no account was changed.
 */
const KEEP_ALIVE_MS = 15_000
/** Changes of people within this time lead to one check of each login. */
const GATHER_MS = 1_000
/** So many logins are checked before others have their turn. */
const LOGINS_AT_A_TIME = 20
const ENDED: ReadonlySet<string> = new Set(['unauthenticated', 'forbidden'])

export interface StreamsDeps {
  readonly changes: Changes
  /** Throws `unauthenticated` when the login that the request came with is over. */
  readonly stillIn: (request: FastifyRequest) => Promise<Caller>
  readonly log: Logger
}

interface Stream {
  readonly request: FastifyRequest
  /** Hears at every check that the login is still good, and what its person may now. */
  readonly still: (caller: Caller) => void
  /** Hears that the login has ended. */
  readonly end: () => void
}

/**
 * All streams of server-sent events: counted, and ended when the login does that opened them. One
 * check serves all streams of a login.
 */
export class Streams {
  readonly #ofLogin = new Map<string, Set<Stream>>()
  readonly #ofPerson = new Map<string, number>()
  #inAll = 0
  #due: NodeJS.Timeout | undefined
  #checking = false
  readonly #timer: NodeJS.Timeout

  constructor(readonly deps: StreamsDeps) {
    deps.changes.subscribe((topics) => {
      if (topics.includes('people')) this.#due ??= setTimeout(this.#check, GATHER_MS).unref()
    })
    this.#timer = setInterval(this.#check, KEEP_ALIVE_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#due)
  }

  /** Counts a stream of this caller; gives what is to be called when it is over. Throws `too_many_connections`. */
  open(caller: Caller, stream: Stream): () => void {
    const login = caller.login ?? `person:${caller.key}`
    const beside = this.#ofLogin.get(login) ?? new Set()
    const ofPerson = this.#ofPerson.get(caller.key) ?? 0
    if (beside.size >= MOST_OF_LOGIN || ofPerson >= MOST_OF_PERSON || this.#inAll >= MOST_IN_ALL)
      throw refusal('too_many_live_pages', { count: beside.size })
    this.#ofLogin.set(login, beside.add(stream))
    this.#ofPerson.set(caller.key, ofPerson + 1)
    this.#inAll += 1
    return () => {
      if (!beside.delete(stream)) return
      if (beside.size === 0) this.#ofLogin.delete(login)
      const left = (this.#ofPerson.get(caller.key) ?? 1) - 1
      if (left === 0) this.#ofPerson.delete(caller.key)
      else this.#ofPerson.set(caller.key, left)
      this.#inAll -= 1
    }
  }

  readonly #check = (): void => {
    clearTimeout(this.#due)
    this.#due = undefined
    if (this.#checking) return void (this.#due = setTimeout(this.#check, GATHER_MS).unref())
    this.#checking = true
    inBackground({
      log: this.deps.log,
      what: 'live.check',
      work: async () => {
        try {
          await this.#checkAll()
        } finally {
          this.#checking = false
        }
      },
    })
  }

  async #checkAll(): Promise<void> {
    const logins = [...this.#ofLogin.values()]
    for (let from = 0; from < logins.length; from += LOGINS_AT_A_TIME) {
      await Promise.all(
        logins.slice(from, from + LOGINS_AT_A_TIME).map(async (streams) => {
          await this.#checkLogin(streams)
        }),
      )
      await nextTurn()
    }
  }

  async #checkLogin(streams: ReadonlySet<Stream>): Promise<void> {
    const [first] = streams
    if (!first) return
    try {
      const caller = await this.deps.stillIn(first.request)
      for (const stream of streams) stream.still(caller)
    } catch (error) {
      // That nobody could say whether it goes on does not mean that it has ended.
      if (!(error instanceof BrokerError) || !ENDED.has(error.code)) throw error
      for (const stream of [...streams]) stream.end()
    }
  }
}
