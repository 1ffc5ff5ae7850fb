import type { Client, Entry } from 'ldapts'
import { sentenceOf } from '../errors/broker-error.js'
import type { DirectorySettings } from '../login-settings.js'
import { isLimit } from './directory-answers.js'
import {
  DEFAULTS,
  fillFilter,
  type Found,
  type Group,
  type Tell,
  textOf,
} from './directory-entries.js'

/** LDAP_MATCHING_RULE_IN_CHAIN of Active Directory (MS-ADTS 3.1.1.3.4.4): all groups up to the top in one question. */
const IN_CHAIN = 'member:1.2.840.113556.1.4.1941:='
/**
 * Bounds of the walk from group to group: a directory with more, or with groups in a circle, costs
 * no more than this.
 */
const MOST_GROUPS = 500
const MOST_LEVELS = 20
const PAGE = 200
/** The walk takes no longer than this many times what one answer may take. */
const MOST_TIMEOUTS = 3

/** The groups that were found. `missing`: why there may be more; null when these are all. */
export interface Groups {
  readonly groups: readonly Group[]
  readonly missing: string | null
}

/** Gives another connection where a search has cost the first one. */
type Reconnect = (work: (client: Client) => Promise<Groups>) => Promise<Groups>

/** Finds all groups that an entry is in, also through other groups. */
export class GroupSearch {
  readonly #found = new Map<string, Group>()

  constructor(
    readonly settings: DirectorySettings,
    readonly timeoutMs: number,
    readonly tell: Tell,
  ) {}

  /** A limit on the way leaves what was found before it; every other fault is thrown. */
  async of(client: Client, person: Found, reconnect: Reconnect): Promise<Groups> {
    const { 'nested-groups': wanted, type } = this.settings
    const nested = wanted === 'default' ? DEFAULTS[type].nested : wanted
    if (nested === 'chain') {
      const filter = this.#filter.replaceAll('member=', () => IN_CHAIN)
      // Half of the time, so that the server ends it before the connection does.
      const fault = await this.#limited(
        this.#read(client, filter, person.dn, person.name, this.timeoutMs / 2),
      )
      if (fault === null) return this.#told(null)
      this.tell(
        'groups',
        `All in one question meets a limit (${fault}): walking from group to group.`,
      )
    }
    return client.isConnected
      ? await this.#walk(client, person, nested !== 'none')
      : await reconnect(async (other) => await this.#walk(other, person, nested !== 'none'))
  }

  async #walk(client: Client, person: Found, further: boolean): Promise<Groups> {
    const until = performance.now() + MOST_TIMEOUTS * this.timeoutMs
    this.#found.clear()
    const fault = await this.#limited(this.#levels(client, person, further, until))
    return this.#told(fault)
  }

  /** Null, or the bound that ended the walk. */
  async #levels(
    client: Client,
    person: Found,
    further: boolean,
    until: number,
  ): Promise<string | null> {
    let level = await this.#read(client, this.#filter, person.dn, person.name)
    for (let depth = 1; further && level.length > 0; depth += 1) {
      if (depth > MOST_LEVELS) return `groups are nested deeper than ${MOST_LEVELS} levels`
      const next: Group[] = []
      for (const group of level) {
        if (this.#found.size >= MOST_GROUPS) return `there are more than ${MOST_GROUPS} groups`
        if (performance.now() > until) return 'walking from group to group takes too long'
        next.push(...(await this.#read(client, this.#filter, group.dn, group.dn)))
      }
      level = next
    }
    return null
  }

  /** Keeps the groups with this member, page by page, and gives those that are new. */
  async #read(
    client: Client,
    filter: string,
    dn: string,
    user: string,
    timeMs = this.timeoutMs,
  ): Promise<Group[]> {
    const attribute = this.settings['group-name']
    const fresh: Group[] = []
    const pages = client.searchPaginated(this.settings['group-base'] || this.settings.base, {
      scope: 'sub',
      filter: fillFilter(filter, { dn, user }),
      attributes: [attribute],
      paged: { pageSize: PAGE },
      timeLimit: Math.max(1, Math.floor(timeMs / 1000)),
    })
    for await (const { searchEntries } of pages)
      for (const group of searchEntries.map((entry) => toGroup(entry, attribute))) {
        if (this.#found.has(group.dn.toLowerCase())) continue
        this.#found.set(group.dn.toLowerCase(), group)
        fresh.push(group)
      }
    return fresh
  }

  /** What the work gives as a sentence, or the limit that it met. */
  async #limited(work: Promise<unknown>): Promise<string | null> {
    try {
      const said = await work
      return typeof said === 'string' ? said : null
    } catch (error) {
      if (isLimit(error)) return sentenceOf(error)
      throw error
    }
  }

  #told(missing: string | null): Groups {
    const groups = [...this.#found.values()]
    const names = groups.slice(0, 50).map(({ name }) => name)
    this.tell(
      'groups',
      groups.length === 0
        ? 'There are no groups.'
        : `${groups.length} groups: ${names.join(', ')}.`,
    )
    if (missing !== null)
      this.tell('groups', `There may be more (${missing}): a login takes no role away.`)
    return { groups, missing }
  }

  get #filter(): string {
    return this.settings['group-filter'] || DEFAULTS[this.settings.type].groups
  }
}

function toGroup(entry: Entry, attribute: string): Group {
  return { name: textOf(entry, attribute) || entry.dn, dn: entry.dn }
}
