import type { Logger } from 'pino'
import type { DirectoryTest } from '../api/users.js'
import { BrokerError, refusal, sentenceOf } from '../errors/broker-error.js'
import { REASONS } from '../errors/reasons.js'
import type { DirectorySettings } from '../login-settings.js'
import { type Arrival, rolesOfGroups } from './arrivals.js'
import type { AccountState, PasswordAnswer } from './directory-answers.js'
import type { Found, Tell } from './directory-entries.js'
import type { Groups } from './directory-groups.js'
import { DirectorySearch } from './directory-search.js'

/**
 * What the directories say of a name and a password. `could-not-say`: one that had to be asked has
 * given no answer, which is not a no.
 */
export type LoginAnswer =
  | { readonly kind: 'right'; readonly person: Arrival }
  | { readonly kind: 'wrong' }
  | {
      readonly kind: 'refused'
      readonly directory: string
      readonly name: string
      readonly state: AccountState
    }
  | { readonly kind: 'could-not-say'; readonly fault: BrokerError }

type Asked = { readonly known: false } | { readonly known: true; readonly answer: LoginAnswer }

/** The directories of the settings, in their order. */
export class Directories {
  readonly #searches: ReadonlyMap<string, DirectorySearch>

  constructor(
    readonly settings: readonly DirectorySettings[],
    readonly log: Logger,
  ) {
    this.#searches = new Map(settings.map((one) => [one.name, new DirectorySearch(one)]))
  }

  names(): string[] {
    return [...this.#searches.keys()]
  }

  /**
   * Who it is. `only`: the directory that the account is known to come from; without it, the first
   * one that knows the name.
   */
  async login(user: string, password: string, only: string | null): Promise<LoginAnswer> {
    if (password === '') return { kind: 'wrong' }
    for (const [name, search] of this.#searches) {
      if (only !== null && name !== only) continue
      const asked = await this.#ask(search, user, password)
      if (asked.known) return asked.answer
    }
    return { kind: 'wrong' }
  }

  async #ask(search: DirectorySearch, user: string, password: string): Promise<Asked> {
    const directory = search.settings.name
    try {
      return await search.connected(silent, async (client) => {
        const found = await search.find(client, user, silent)
        // A bind that must fail: who is not known costs as much time as who is.
        const dn = found?.dn ?? `cn=nobody,${search.settings.base}`
        const answer = await search.checkPassword(dn, password, silent)
        if (answer.kind === 'could-not-say') throw search.unreachable(answer.cause)
        if (!found) return { known: false }
        if (answer.kind === 'refused')
          this.log.warn(
            { directory, dn: found.dn, code: answer.state.code },
            `a directory refuses an account: ${REASONS[answer.state.reason].sentence}`,
          )
        if (answer.kind !== 'right')
          return { known: true, answer: { directory, name: found.name, ...answer } }
        const groups = await search.groups(client, found, silent)
        if (groups.missing !== null)
          this.log.warn(
            { directory, dn: found.dn, found: groups.groups.length, why: groups.missing },
            'not all groups of a person could be read; no role is taken away',
          )
        const person = toArrival(search.settings, found, groups)
        return { known: true, answer: { kind: 'right', person } }
      })
    } catch (error) {
      this.log.warn({ err: error, directory }, 'a directory could not be asked')
      const fault =
        error instanceof BrokerError && error.code === 'directory_unreachable'
          ? error
          : search.unreachable(error)
      return { known: true, answer: { kind: 'could-not-say', fault } }
    }
  }

  /**
   * What would happen at a login, step by step. Without a password it is not tried. Nothing
   * changes. Throws `not_found`.
   */
  async test(name: string, user: string, password: string | undefined): Promise<DirectoryTest> {
    const search = this.#searches.get(name)
    if (!search)
      throw this.names().length === 0
        ? refusal('no_directories', { directory: name })
        : refusal('directory_unknown', { directory: name, directories: this.names() })
    const steps: DirectoryTest['steps'] = []
    const tell: Tell = (step, said) => {
      steps.push({ step, said })
    }
    const nothing = { good: false, steps, name: null, dn: null, groups: [], roles: [] }
    try {
      return await search.connected(tell, async (client) => {
        const found = await search.find(client, user, tell)
        if (!found) return nothing
        const answer =
          password === undefined ? null : await search.checkPassword(found.dn, password, tell)
        tell('password', saidOf(answer))
        const groups = await search.groups(client, found, tell)
        const { roles } = toArrival(search.settings, found, groups)
        tell(
          'roles',
          roles.length === 0
            ? 'None of the groups gives a role.'
            : `The roles are ${roles.join(', ')}.`,
        )
        return {
          good: answer === null || answer.kind === 'right',
          steps,
          name: found.name,
          dn: found.dn,
          groups: groups.groups.map((group) => group.name),
          roles: [...roles],
        }
      })
    } catch (error) {
      tell('end', error instanceof BrokerError ? error.message : sentenceOf(error))
      return nothing
    }
  }
}

function silent(): void {
  // a login tells nobody its steps
}

function saidOf(answer: PasswordAnswer | null): string {
  switch (answer?.kind) {
    case undefined:
      return 'It was not given, and not tried.'
    case 'right':
      return 'It is right.'
    case 'wrong':
      return 'It is wrong.'
    case 'refused':
      return `The account is refused (${answer.state.code}). ${REASONS[answer.state.reason].sentence}`
    case 'could-not-say':
      return 'No server can say whether it is right: a login would answer 503, and count no try.'
  }
}

function toArrival(settings: DirectorySettings, found: Found, groups: Groups): Arrival {
  return {
    source: settings.name,
    name: found.name,
    subject: null,
    displayName: found.displayName,
    roles: rolesOfGroups(
      groups.groups.flatMap((group) => [group.name, group.dn]),
      settings.roles,
    ),
    missing: groups.missing,
  }
}
