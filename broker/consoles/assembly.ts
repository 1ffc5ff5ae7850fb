import type { Logger } from 'pino'
import { inBackground } from '../background.js'
import type { Authority } from '../certificates/authority.js'
import type { Config } from '../config.js'
import type { Events } from '../events/bus.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Changes } from '../live/changes.js'
import type { Observer } from '../machines/observer.js'
import type { Store } from '../store/open.js'
import { mayTakeAway } from './rights.js'
import { Consoles, type ConsolesDeps } from './service.js'
import { Thumbnails } from './thumbnails.js'

/** Questions that those answer who know people, pools and who has which machine. */
export type ConsoleAnswers = Pick<
  ConsolesDeps,
  'mayTake' | 'mayKnow' | 'mayStay' | 'features' | 'protocols' | 'refuseNotReady' | 'onTicket'
>

export interface ConsolePartsDeps extends ConsoleAnswers {
  readonly store: Store
  readonly events: Events
  readonly config: Config
  readonly log: Logger
  readonly authority: Authority
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly changes: Changes
  readonly now: () => number
  readonly loginLives: ConsolesDeps['loginLives']
}

export interface ConsoleParts {
  readonly consoles: Consoles
  readonly thumbnails: Thumbnails
}

/** Ways to screens. A console ends with the claim or the right that it stands on. */
export function assembleConsoles(deps: ConsolePartsDeps): ConsoleParts {
  const { config, hypervisors } = deps
  const consoles = new Consoles({
    ...deps,
    ca: deps.authority.certificate,
    proxyPort: config.consoleProxyPort,
    listenAddress: config.listenAddress,
    publicName: config.publicNames[0] ?? 'localhost',
  })
  follow(consoles, deps)
  const thumbnails = new Thumbnails({
    hypervisors,
    now: () => performance.now(),
    connected: async (machine) =>
      (await consoles.sessions([machine])).map(({ holder }) => holder?.name ?? ''),
  })
  return { consoles, thumbnails }
}

function follow(consoles: Consoles, { events, changes, log }: ConsolePartsDeps): void {
  changes.onWrite((table, kind) => {
    // Told after the commit, so that it sees what was written.
    if (mayTakeAway(table, kind) && consoles.tunnels.size > 0) consoles.checkSoon()
  })
  events.subscribe('consoleWatched', () => {
    for (const topic of ['sessions', 'desktops'] as const) changes.note(topic)
  })
  events.subscribe('assignmentEnded', (machineId) => {
    inBackground({
      log,
      what: 'consoles.end',
      work: () => consoles.endAll(machineId),
      retries: 8,
    })
  })
}
