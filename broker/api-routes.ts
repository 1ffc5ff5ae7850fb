import { assignmentRoutes } from './assignments/routes.js'
import { StartTimes } from './assignments/start-times.js'
import type { Config } from './config.js'
import { consoleRoutes } from './consoles/routes.js'
import { doctorRoutes } from './doctor/routes.js'
import { drainRoutes } from './draining/routes.js'
import type { Foundation } from './foundation.js'
import { historyRoutes } from './history/routes.js'
import type { App } from './http.js'
import { installLine } from './hypervisors/install-line.js'
import { hypervisorRoutes } from './hypervisors/routes.js'
import { jobRoutes } from './jobs/routes.js'
import { liveRoutes } from './live/routes.js'
import type { Streams } from './live/streams.js'
import { machineRoutes } from './machines/routes.js'
import type { Parts } from './parts.js'
import { poolRoutes } from './pools/routes.js'
import { clientsXmlRoutes } from './thin-clients/clients-xml-routes.js'
import { deviceCodeRoutes } from './thin-clients/code-routes.js'
import { deviceLoginRoutes } from './thin-clients/login-routes.js'
import { thinClientRoutes } from './thin-clients/routes.js'
import type { OwnSite } from './users/own-site.js'
import { peopleRoutes } from './users/people-routes.js'

export interface ApiRoutesDeps {
  readonly config: Config
  readonly foundation: Foundation
  readonly parts: Parts
  readonly site: OwnSite
  readonly streams: Streams
  /** PEM; its key is pinned by whoever fetches the installer. */
  readonly certificate: () => string
}

/** The routes of every folder, under /api/v1. */
export async function apiRoutes(deps: ApiRoutesDeps): Promise<Array<(app: App) => void>> {
  const { config, foundation, parts, site, streams } = deps
  const { store, changes } = foundation
  const { publicNames } = config
  const { people, handingOut, machines, consoles, thinClients } = parts
  const { assignments, pools, documents } = handingOut
  const { permissions } = people
  const ownName = `${publicNames[0] ?? 'localhost'}:${config.listenPort}`
  return [
    hypervisorRoutes(parts.hypervisors, (asked) => installLine(deps.certificate(), asked, ownName)),
    drainRoutes(parts.draining.drains),
    doctorRoutes(parts.doctor),
    machineRoutes(machines, parts.goldenImages, parts.leftovers),
    consoleRoutes(consoles, parts.thumbnails, site),
    poolRoutes(pools, documents, assignments, { store, permissions }),
    assignmentRoutes(assignments, { ...parts, store, now: Date.now }, offersOf(deps)),
    historyRoutes(parts.history),
    jobRoutes(parts.jobs, streams),
    thinClientRoutes(thinClients),
    clientsXmlRoutes(parts.clientsXml, async (file) => await thinClients.effects(file)),
    deviceLoginRoutes(thinClients, publicNames),
    deviceCodeRoutes(thinClients.codes),
    liveRoutes({ changes, streams }),
    ...(await peopleRoutes({
      ...people,
      store,
      site,
      publicNames,
      mark: () => changes.mark,
      releaseDesktops: async (key, by) => {
        await assignments.releaseAllOf(`user:${key}`, 'its account was deleted', by)
      },
    })),
  ]
}

function offersOf({ foundation, parts }: ApiRoutesDeps): Parameters<typeof assignmentRoutes>[2] {
  const { store } = foundation
  return {
    store,
    permissions: parts.people.permissions,
    startTimes: new StartTimes({ store, monotonicMs: () => performance.now() }),
    sessions: async (machines) => await parts.consoles.sessions(machines),
    desktops: async (holder) => await parts.handingOut.assignments.desktops({ holder }),
  }
}
