import { readFileSync } from 'node:fs'
import {
  type Client,
  type Entry,
  escapeFilter,
  InvalidCredentialsError,
  ResultCodeError,
  SizeLimitExceededError,
} from 'ldapts'
import { BrokerError, sentenceOf } from '../errors.js'
import { durationMs } from '../config.js'
import type { DirectorySettings } from '../login-settings.js'
import { type ConnectionSettings, withConnection } from './directory-connection.js'

export interface Found {
  readonly dn: string
  readonly name: string
  readonly displayName: string
}
/** A group by its name and its DN. */
export interface Group {
  readonly name: string
  readonly dn: string
}
/** What has been done so far, for the test of a directory; `said` ends up before an administrator. */
export type Tell = (step: string, said: string) => void

const DEFAULTS = {
  ldap: {
    filter: '(uid={user})',
    name: 'uid',
    groups: '(|(member={dn})(uniqueMember={dn}))',
    nested: 'walk',
  },
  'active-directory': {
    filter: '(&(objectClass=user)(|(sAMAccountName={user})(userPrincipalName={user})))',
    name: 'sAMAccountName',
    groups: '(member={dn})',
    nested: 'chain',
  },
} as const
/** LDAP_MATCHING_RULE_IN_CHAIN of Active Directory (MS-ADTS 3.1.1.3.4.4): all groups up to the top in one question. */
const IN_CHAIN = 'member:1.2.840.113556.1.4.1941:='
/** Bounds of the walk from group to group: a directory with more, or with groups in a circle, costs no more than this. */
const MOST_GROUPS = 500
const MOST_LEVELS = 20

/** Fills in a filter's `{user}` or `{dn}`, so that no sign in the value has a meaning there (RFC 4515). Pure. */
export function fillFilter(filter: string, name: 'user' | 'dn', value: string): string {
  return filter.replaceAll(`{${name}}`, () => escapeFilter`${value}`)
}

/** One directory: finds people and their groups, and makes sure of passwords. Referrals to other servers are not followed. */
export class DirectorySearch {
  constructor(readonly settings: DirectorySettings) {}

  get timeoutMs(): number {
    return durationMs(this.settings.timeout)
  }

  /** Calls `work` with a connection of the account that looks people up. Throws `directory_unreachable` when no server answers as it should. */
  async connected<T>(tell: Tell, work: (client: Client) => Promise<T>): Promise<T> {
    const faults: string[] = []
    for (const url of this.settings.urls) {
      try {
        return await withConnection(this.#connection(url), async (client) => {
          await client.bind(this.settings['bind-dn'], this.#bindPassword())
          tell(
            'bind',
            `${url} is connected, and ${this.settings['bind-dn'] === '' ? 'lets anybody look' : `knows ${this.settings['bind-dn']}`}.`,
          )
          return await work(client)
        })
      } catch (error) {
        if (error instanceof BrokerError) throw error
        if (error instanceof InvalidCredentialsError)
          throw new BrokerError(
            'directory_unreachable',
            `The directory ${this.settings.name} (${url}) refuses the name or password in bind-dn and bind-password-file.`,
            { cause: error },
          )
        faults.push(`${url}: ${sentenceOf(error)}`)
        tell('connect', `${url} cannot be asked: ${sentenceOf(error)}`)
      }
    }
    throw new BrokerError(
      'directory_unreachable',
      `The directory ${this.settings.name} does not answer: try again later, or ask an administrator.`,
      { cause: new Error(faults.join('; ')) },
    )
  }

  /** The one entry for what was typed; null when there is none or several, which is told. */
  async find(client: Client, user: string, tell: Tell): Promise<Found | null> {
    const defaults = DEFAULTS[this.settings.type]
    const nameAttribute = this.settings['user-name'] || defaults.name
    const filter = fillFilter(this.settings['user-filter'] || defaults.filter, 'user', user)
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
        `${filter} below ${this.settings.base} finds ${searchEntries?.length === 0 ? 'nobody' : 'more than one person'}.`,
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

  /** Whether this is the password of the entry. An empty one would be an anonymous bind that always succeeds (RFC 4513, 5.1.2). */
  async isPassword(dn: string, password: string): Promise<boolean> {
    if (password === '') return false
    let last: unknown
    for (const url of this.settings.urls) {
      try {
        await withConnection(this.#connection(url), async (client) => {
          await client.bind(dn, password)
        })
        return true
      } catch (error) {
        if (error instanceof ResultCodeError) return false // wrong, locked, expired, disabled: the directory's own reason is not for a stranger
        last = error
      }
    }
    throw new BrokerError(
      'directory_unreachable',
      `The directory ${this.settings.name} does not answer: try again later, or ask an administrator.`,
      { cause: last },
    )
  }

  /** All groups that the entry is in, also through other groups. */
  async groups(client: Client, dn: string, tell: Tell): Promise<Group[]> {
    const defaults = DEFAULTS[this.settings.type]
    const filter = this.settings['group-filter'] || defaults.groups
    const nested =
      this.settings['nested-groups'] === 'default'
        ? defaults.nested
        : this.settings['nested-groups']
    const found = new Map<string, Group>()
    let level = await this.#groupsOf(
      client,
      nested === 'chain' ? filter.replaceAll('member=', () => IN_CHAIN) : filter,
      dn,
    )
    for (
      let depth = 0;
      level.length > 0 && depth < MOST_LEVELS && found.size < MOST_GROUPS;
      depth += 1
    ) {
      const fresh = level
        .filter((group) => !found.has(group.dn.toLowerCase()))
        .slice(0, MOST_GROUPS - found.size)
      for (const group of fresh) found.set(group.dn.toLowerCase(), group)
      level = []
      if (nested === 'walk')
        for (const group of fresh) level.push(...(await this.#groupsOf(client, filter, group.dn)))
    }
    tell(
      'groups',
      found.size === 0
        ? 'There are no groups.'
        : `${found.size} groups: ${[...found.values()]
            .map(({ name }) => name)
            .slice(0, 50)
            .join(', ')}.`,
    )
    return [...found.values()]
  }

  async #groupsOf(client: Client, filter: string, dn: string): Promise<Group[]> {
    const attribute = this.settings['group-name']
    const { searchEntries } = await client.search(
      this.settings['group-base'] || this.settings.base,
      {
        scope: 'sub',
        filter: fillFilter(filter, 'dn', dn),
        attributes: [attribute],
        timeLimit: Math.ceil(this.timeoutMs / 1000),
      },
    )
    return searchEntries.map((entry) => ({
      name: textOf(entry, attribute) || entry.dn,
      dn: entry.dn,
    }))
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

function textOf(entry: Entry, attribute: string): string {
  const key = Object.keys(entry).find((one) => one.toLowerCase() === attribute.toLowerCase())
  const value = key === undefined ? undefined : [entry[key]].flat()[0]
  return value === undefined ? '' : String(value)
}
