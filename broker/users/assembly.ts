import type { Logger } from 'pino'
import { type Config, dataFile } from '../config.js'
import { SteadyClock } from '../steady-clock.js'
import type { Store } from '../store/open.js'
import { Directories } from './directories.js'
import { forgetExpired } from './expiry.js'
import { createFirstAdministrator } from './first-administrator.js'
import { Grants } from './grants.js'
import { type AllObjectFacts, type ObjectFacts, Permissions } from './permissions.js'
import { Providers } from './providers.js'
import { Users } from './service.js'
import { Sessions } from './sessions.js'

export interface PeopleDeps {
  readonly store: Store
  readonly config: Config
  readonly log: Logger
  readonly facts: ObjectFacts
  readonly allFacts: AllObjectFacts
}

export interface People {
  /** The time by which whatever protects somebody ends. */
  readonly clock: SteadyClock
  readonly users: Users
  readonly sessions: Sessions
  readonly directories: Directories
  readonly providers: Providers
  readonly grants: Grants
  readonly permissions: Permissions
  readonly madeAdministrator: boolean
}

/** Accounts, logins and rights. There is an administrator afterwards. */
export async function assemblePeople(deps: PeopleDeps): Promise<People> {
  const { store, config, log } = deps
  const clock = new SteadyClock()
  const now = (): number => clock.now()
  const directories = new Directories(config.directories, log)
  const sessions = new Sessions(store, config, now)
  const { tokenLifetimeMs } = config
  const users = new Users({ store, log, directories, sessions, clock, tokenLifetimeMs })
  const providers = new Providers({ store, log, settings: config.oidcProviders, now })
  const madeAdministrator = await createFirstAdministrator(
    store,
    dataFile(config, 'admin-password'),
  )
  await forgetExpired({ store, sessions, clock })
  return {
    clock,
    users,
    sessions,
    directories,
    providers,
    grants: new Grants(deps),
    permissions: new Permissions(deps),
    madeAdministrator,
  }
}
