import { readFileSync } from 'node:fs'
import { type Client, InvalidCredentialsError, SizeLimitExceededError } from 'ldapts'
import { BrokerError, refusal, sentenceOf } from '../errors/broker-error.js'
import { durationMs } from '../config.js'
import type { DirectorySettings } from '../login-settings.js'
import { answerOfFailure, type PasswordAnswer } from './directory-answers.js'
import { type ConnectionSettings, withConnection } from './directory-connection.js'
import { DEFAULTS, fillFilter, type Found, type Tell, textOf } from './directory-entries.js'
import { type Groups, GroupSearch } from './directory-groups.js'

/**
 * One directory: finds people and their groups, and makes sure of passwords. Referrals to other
 * servers are not followed.
 */
export class DirectorySearch {
  constructor(readonly settings: DirectorySettings) {}

  get timeoutMs(): number {
    return durationMs(this.settings.timeout)
  }

  /**
   * Calls `work` with a connection of the account that looks people up. Throws
   * `directory_unreachable` when no server answers as it should.
   */
  async connected<T>(tell: Tell, work: (client: Client) => Promise<T>): Promise<T> {
    const faults: string[] = []
    const refusing: string[] = []
    for (const url of this.settings.urls) {
      try {
        return await withConnection(this.#connection(url), async (client) => {
          await client.bind(this.settings['bind-dn'], this.#bindPassword())
          tell(
            'bind',
            `${url} is connected, ` +
              `and ${this.settings['bind-dn'] === '' ? 'lets anybody look' : `knows ${this.settings['bind-dn']}`}.`,
          )
          return await work(client)
        })
      } catch (error) {
        if (error instanceof BrokerError) throw error
        if (error instanceof InvalidCredentialsError) refusing.push(url)
        faults.push(`${url}: ${sentenceOf(error)}`)
        tell('connect', `${url} cannot be asked: ${sentenceOf(error)}`)
      }
    }
    const cause = new Error(faults.join('; '))
    if (refusing.length < this.settings.urls.length) throw this.unreachable(cause)
    throw refusal(
      'directory_login_refused',
      { directory: this.settings.name, urls: refusing },
      { cause },
    )
  }

  /** The one entry for what was typed; null when there is none or several, which is told. */
  async find(client: Client, user: string, tell: Tell): Promise<Found | null> {
    const defaults = DEFAULTS[this.settings.type]
    const nameAttribute = this.settings['user-name'] || defaults.name
    const filter = fillFilter(this.settings['user-filter'] || defaults.filter, { user })
    const searchEntries = await client
      .search(this.settings.base, {
        scope: 'sub',
        filter,
        attributes: [nameAttribute, this.settings['display-name']],
        sizeLimit: 2,
        timeLimit: Math.ceil(this.timeoutMs / 1000),
      })
      .then(
        (found) => found.searchEntries,
        (error: unknown) => {
          if (error instanceof SizeLimitExceededError) return null
          throw error
        },
      )
    const [entry] = searchEntries ?? []
    if (searchEntries?.length !== 1 || !entry) {
      tell(
        'search',
        `${filter} below ${this.settings.base} ` +
          `finds ${searchEntries?.length === 0 ? 'nobody' : 'more than one person'}.`,
      )
      return null
    }
    const name = textOf(entry, nameAttribute)
    tell(
      'search',
      `${filter} finds ${entry.dn}${name === '' ? `, which has no ${nameAttribute}` : `, here called ${name}`}.`,
    )
    return name === ''
      ? null
      : {
          dn: entry.dn,
          name,
          displayName: textOf(entry, this.settings['display-name']).slice(0, 200),
        }
  }

  /**
   * What the servers say to this password of the entry: one that cannot say is passed over. An
   * empty one would be an anonymous bind that always succeeds (RFC 4513, 5.1.2).
   */
  async checkPassword(dn: string, password: string, tell: Tell): Promise<PasswordAnswer> {
    if (password === '') return { kind: 'wrong' }
    let answer: PasswordAnswer = { kind: 'could-not-say', cause: new Error('no server was asked') }
    for (const url of this.settings.urls) {
      answer = await withConnection(this.#connection(url), async (client) => {
        await client.bind(dn, password)
      }).then((): PasswordAnswer => ({ kind: 'right' }), answerOfFailure)
      if (answer.kind !== 'could-not-say') return answer
      tell('password', `${url} cannot say: ${sentenceOf(answer.cause)}`)
    }
    return answer
  }

  /** All groups that the entry is in, also through other groups, or as many as the limits let it find. */
  async groups(client: Client, person: Found, tell: Tell): Promise<Groups> {
    return await new GroupSearch(this.settings, this.timeoutMs, tell).of(
      client,
      person,
      async (work) => await this.connected(() => undefined, work),
    )
  }

  unreachable(cause: unknown): BrokerError {
    return refusal('directory_silent', { directory: this.settings.name }, { cause })
  }

  #connection(url: string): ConnectionSettings {
    const { 'ca-file': file, 'start-tls': startTls } = this.settings
    return {
      url,
      startTls,
      timeoutMs: this.timeoutMs,
      tls: { minVersion: 'TLSv1.2', ...(file === '' ? {} : { ca: readFileSync(file) }) },
    }
  }

  /** Read each time: it may be changed while the broker runs. */
  #bindPassword(): string {
    const { 'bind-password-file': file } = this.settings
    return file === '' ? '' : (readFileSync(file, 'utf8').split(/\r?\n/, 1)[0] ?? '')
  }
}
