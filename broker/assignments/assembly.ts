import type { Logger } from 'pino'
import type { Events } from '../events/bus.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Changes } from '../live/changes.js'
import type { GoldenImages } from '../machines/golden-images.js'
import type { Endings } from '../machines/endings.js'
import type { Observer } from '../machines/observer.js'
import type { Machines } from '../machines/service.js'
import type { FairClock } from '../occupancy/fair-clock.js'
import type { Usage } from '../occupancy/usage.js'
import { buildJob } from '../pools/build-job.js'
import { Documents } from '../pools/documents.js'
import { PoolKeeper } from '../pools/keeper.js'
import { removeJob } from '../pools/remove-job.js'
import { Pools } from '../pools/service.js'
import type { Store } from '../store/open.js'
import { Claims } from './claims.js'
import { Cleaner } from './cleaner.js'
import { Hosts } from './hosts.js'
import { Keeper } from './keeper.js'
import { Mirror } from './mirror.js'
import { PowerWindows } from './power-windows.js'
import { Presence } from './presence.js'
import { Assignments } from './service.js'

export interface HandingOutDeps {
  readonly store: Store
  readonly events: Events
  readonly changes: Changes
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly endings: Endings
  readonly machines: Machines
  readonly goldenImages: GoldenImages
  readonly jobs: JobRunner
  readonly log: Logger
  readonly fairClock: FairClock
  readonly usage: Usage
  readonly releaseAfterMs: number
  readonly graceMs: number
  readonly now: () => number
  readonly mayHave: (holder: string, poolId: string) => Promise<boolean>
}

export interface HandingOut {
  readonly pools: Pools
  readonly documents: Documents
  readonly claims: Claims
  readonly assignments: Assignments
  readonly keeper: Keeper
  readonly hosts: Hosts
  readonly mirror: Mirror
  start(): void
  stop(): Promise<void>
}

/** Pools, claims and those who keep them, connected with one another; their jobs are registered. Nothing runs yet. */
export function assembleHandingOut(deps: HandingOutDeps): HandingOut {
  const fair = withFairTime(deps)
  const { hosts } = fair
  const pools = new Pools(fair)
  const claims = new Claims(fair)
  const assignments = new Assignments({ ...fair, claims })
  const cleaner = new Cleaner({ ...fair, claims })
  const windows = new PowerWindows({ ...fair, claims, wallClock: deps.now })
  const keeper = new Keeper({ ...fair, claims, cleaner, windows })
  const presence = new Presence({ ...fair, claims })
  const mirror = new Mirror(fair)
  const poolKeeper = new PoolKeeper({ ...fair, pools })
  registerJobs(fair, assignments)
  deps.changes.subscribe((topics) => {
    // What a machine's metadata says of these has no event of its own.
    if (topics.includes('grants') || topics.includes('generations')) mirror.sweepSoon()
  })
  return {
    pools,
    documents: new Documents(fair),
    claims,
    assignments,
    keeper,
    hosts,
    mirror,
    start: () => {
      for (const part of [hosts, presence, keeper, poolKeeper, assignments, mirror]) part.start()
    },
    stop: async () => {
      for (const part of [mirror, poolKeeper, keeper, presence, assignments]) await part.stop()
    },
  }
}

/** The same with a `now` that stands still while the broker or a host is away. */
function withFairTime(deps: HandingOutDeps) {
  const fair = { ...deps, images: deps.goldenImages, now: () => deps.fairClock.now() }
  return { ...fair, hosts: new Hosts(fair) }
}

function registerJobs(fair: ReturnType<typeof withFairTime>, assignments: Assignments): void {
  fair.jobs.register(buildJob(fair))
  fair.jobs.register(
    removeJob({
      ...fair,
      releaseAll: async (poolId) => {
        await assignments.releaseAll(poolId)
      },
    }),
  )
}
