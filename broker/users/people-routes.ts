import type { Actor } from '../audit/store.js'
import type { App } from '../http.js'
import type { Store } from '../store/open.js'
import { accountRoutes } from './account-routes.js'
import { Accounts } from './accounts.js'
import type { People } from './assembly.js'
import { auditRoutes } from './audit-routes.js'
import { grantRoutes } from './grant-routes.js'
import { KnownBrowsers, knownSecretOf } from './known-browsers.js'
import type { OwnSite } from './own-site.js'
import { userRoutes } from './routes.js'
import { sessionRoutes } from './session-routes.js'

export interface PeopleRoutesDeps extends People {
  readonly store: Store
  readonly publicNames: readonly string[]
  readonly site: OwnSite
  /** Of the changes that were told by now. */
  readonly mark: () => string
  /** What an account that is deleted had goes to others; `key`: of its name. */
  readonly releaseDesktops: (key: string, by: Actor) => Promise<void>
}

/** All routes of this folder. */
export async function peopleRoutes(deps: PeopleRoutesDeps): Promise<Array<(app: App) => void>> {
  const { store, users, directories } = deps
  const known = new KnownBrowsers(await knownSecretOf(store))
  const accounts = new Accounts({ ...deps, limits: users.limits })
  return [
    userRoutes(users),
    sessionRoutes({ ...deps, known }),
    accountRoutes(accounts, directories, users.tokens),
    grantRoutes(deps.grants),
    auditRoutes(store),
  ]
}
