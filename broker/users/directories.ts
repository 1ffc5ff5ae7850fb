import type { Logger } from 'pino'
import type { DirectoryTest } from '../api/users.js'
import { BrokerError, sentenceOf } from '../errors.js'
import type { DirectorySettings } from '../login-settings.js'
import { type Arrival, rolesOfGroups } from './arrivals.js'
import { DirectorySearch, type Tell } from './directory-search.js'

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
   * Who it is, or null when the name or the password is wrong. `only`: the directory that the account is known to come from; without it, the first
   * one that knows the name. Throws `directory_unreachable` when one that had to be asked does not answer.
   */
  async login(user: string, password: string, only: string | null): Promise<Arrival | null> {
    if (password === '') return null
    for (const [name, search] of this.#searches) {
      if (only !== null && name !== only) continue
      const { known, person } = await search
        .connected(
          () => undefined,
          async (client) => {
            const found = await search.find(client, user, () => undefined)
            // A bind that must fail: who is not known costs as much time as who is.
            const good = await search.isPassword(
              found?.dn ?? `cn=nobody,${search.settings.base}`,
              password,
            )
            if (!found) return { known: false, person: null }
            const groups = good ? await search.groups(client, found.dn, () => undefined) : []
            return {
              known: true,
              person: good
                ? toArrival(
                    search.settings,
                    found.name,
                    found.displayName,
                    groups.flatMap((group) => [group.name, group.dn]),
                  )
                : null,
            }
          },
        )
        .catch((error: unknown) => {
          this.log.warn({ err: error, directory: name }, 'a directory could not be asked')
          throw error
        })
      if (known) return person
    }
    return null
  }

  /** What would happen at a login, step by step. Without a password it is not tried. Nothing changes. Throws `not_found`. */
  async test(name: string, user: string, password: string | undefined): Promise<DirectoryTest> {
    const search = this.#searches.get(name)
    if (!search)
      throw new BrokerError(
        'not_found',
        `There is no directory ${name}: the settings have ${this.names().join(', ') || 'none'}.`,
      )
    const steps: DirectoryTest['steps'] = []
    const tell: Tell = (step, said) => {
      steps.push({ step, said })
    }
    const nothing = { good: false, steps, name: null, dn: null, groups: [], roles: [] }
    try {
      return await search.connected(tell, async (client) => {
        const found = await search.find(client, user, tell)
        if (!found) return nothing
        const good = password === undefined || (await search.isPassword(found.dn, password))
        tell(
          'password',
          password === undefined
            ? 'It was not given, and not tried.'
            : good
              ? 'It is right.'
              : 'It is wrong, or the account there may not log in.',
        )
        const groups = await search.groups(client, found.dn, tell)
        const { roles } = toArrival(
          search.settings,
          found.name,
          found.displayName,
          groups.flatMap((group) => [group.name, group.dn]),
        )
        tell(
          'roles',
          roles.length === 0
            ? 'None of the groups gives a role.'
            : `The roles are ${roles.join(', ')}.`,
        )
        return {
          good,
          steps,
          name: found.name,
          dn: found.dn,
          groups: groups.map((group) => group.name),
          roles: [...roles],
        }
      })
    } catch (error) {
      tell('end', error instanceof BrokerError ? error.message : sentenceOf(error))
      return nothing
    }
  }
}

function toArrival(
  settings: DirectorySettings,
  name: string,
  displayName: string,
  groups: readonly string[],
): Arrival {
  return {
    source: settings.name,
    name,
    subject: null,
    displayName,
    roles: rolesOfGroups(groups, settings.roles),
  }
}
