import type { Logger } from 'pino'
import { inNetworks, networksOf } from './addresses.js'
import { apiRoutes } from './api-routes.js'
import { type AppDeps, buildApp } from './app.js'
import { authentication } from './authentication.js'
import { ServerTls } from './certificates/server-tls.js'
import type { Config } from './config.js'
import { acceptUpgrades } from './consoles/upgrades.js'
import { ReverseProxies } from './forwarded.js'
import type { Foundation } from './foundation.js'
import type { App } from './http.js'
import { Streams } from './live/streams.js'
import { Metrics } from './metrics.js'
import { operationsRoutes } from './operations.js'
import type { Parts } from './parts.js'
import { ReadinessProbe } from './readiness.js'
import { OwnSite } from './users/own-site.js'
import { TrustedProxy } from './users/trusted-proxy.js'
import { VERSION } from './version.js'

export interface ServerDeps {
  readonly config: Config
  readonly log: Logger
  readonly foundation: Foundation
  readonly parts: Parts
  readonly requestWithinMs?: number | undefined
}

/** What answers requests. Closed by its `app`. */
export interface Server {
  readonly app: App
  readonly tls: ServerTls
  readonly streams: Streams
}

/** Nothing listens yet. Throws when the certificate of the settings cannot be used. */
export async function openServer(deps: ServerDeps): Promise<Server> {
  const { config, log, foundation, parts, requestWithinMs } = deps
  const { changes } = foundation
  const { users, permissions } = parts.people
  const tls = await ServerTls.open(config, foundation.authority, log)
  const site = new OwnSite(config.siteNames)
  const authenticate = authentication(users, new TrustedProxy(config.trustedProxy, log), site)
  const streams = new Streams({ changes, stillIn: authenticate, log })
  const certificate = (): string => tls.keys.cert
  const app = await buildApp({
    log,
    tls: tls.keys,
    authenticate,
    permissions,
    version: VERSION,
    changes,
    ...visitors(config, log),
    ...(requestWithinMs === undefined ? {} : { requestWithinMs }),
    routes: await apiRoutes({ config, foundation, parts, site, streams, certificate }),
    rootRoutes: [rootRoutes(foundation, parts)],
  })
  acceptUpgrades(app)
  return { app, tls, streams }
}

/** Who may hold how many connections, and who speaks for others. */
function visitors(config: Config, log: Logger): Pick<AppDeps, 'connections' | 'proxies'> {
  const proxies = new ReverseProxies(
    [...config.trustedProxies, ...networksOf(config.trustedProxy?.addresses ?? [])],
    log,
  )
  const connections = {
    log,
    mostOfAddress: config.connectionsPerAddress,
    isTrusted: (address: string) => inNetworks(config.thinClientNetworks, address),
    isProxy: proxies.trusts,
  }
  return { connections, proxies }
}

function rootRoutes({ store, authority, key }: Foundation, parts: Parts): (app: App) => void {
  const metrics = new Metrics({
    ...parts,
    store,
    sessions: async () => await parts.consoles.sessions(),
  })
  const readiness = new ReadinessProbe(store)
  return operationsRoutes({ readiness, metrics, authority, publicKey: key.publicKey })
}
