import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { backgroundFailures } from './background.js'
import type { Session } from './api/consoles.js'
import type { Events } from './events/bus.js'
import type { Hypervisors } from './hypervisors/service.js'
import type { Occupancy } from './occupancy/occupancy.js'
import type { Store } from './store/open.js'

export interface MetricsDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly occupancy: Occupancy
  readonly events: Events
  readonly sessions: () => Promise<Session[]>
}

export interface MetricDescription {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labelNames: readonly string[]
}

const CLAIM_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1]
const READY_SECONDS = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300]

/** What Prometheus is told: counts are looked up when it asks, claims are counted as they come. */
export class Metrics {
  readonly #registry = new Registry()

  constructor({ store, hypervisors, occupancy, events, sessions }: MetricsDeps) {
    collectDefaultMetrics({ register: this.#registry, prefix: 'berth_' })
    addMachines(this.#registry, store, hypervisors)
    addObservations(this.#registry, hypervisors, occupancy)
    addPools(this.#registry, store)
    addConsoles(this.#registry, sessions)
    addClaims(this.#registry, events)
    addBackground(this.#registry)
  }

  get contentType(): string {
    return this.#registry.contentType
  }
  async text(): Promise<string> {
    return await this.#registry.metrics()
  }
  /** Berth's own, without those of Node and of the process. */
  descriptions(): MetricDescription[] {
    return this.#registry
      .getMetricsAsArray()
      .map((metric) => metric as unknown as MetricDescription)
      .filter(({ name }) => !/^berth_(process|nodejs)_/.test(name))
  }
}

function addMachines(registry: Registry, store: Store, hypervisors: Hypervisors): void {
  gauge(
    registry,
    'berth_machines',
    'Machines by type and power',
    ['type', 'power'],
    async (set) => {
      const rows = await store
        .selectFrom('machine')
        .select(['type', 'power', (eb) => eb.fn.countAll<number>().as('count')])
        .groupBy(['type', 'power'])
        .execute()
      for (const { type, power, count } of rows) set({ type, power }, count)
    },
  )
  gauge(
    registry,
    'berth_jobs',
    'Jobs that have not ended, by kind and state',
    ['kind', 'state'],
    async (set) => {
      const rows = await store
        .selectFrom('job')
        .select(['kind', 'state', (eb) => eb.fn.countAll<number>().as('count')])
        .where('finished_at', 'is', null)
        .groupBy(['kind', 'state'])
        .execute()
      for (const { kind, state, count } of rows) set({ kind, state }, count)
    },
  )
  gauge(
    registry,
    'berth_hypervisor_up',
    '1 when the connection to the hypervisor is up',
    ['hypervisor'],
    async (set) => {
      for (const { name, state } of await hypervisors.list())
        set({ hypervisor: name }, state === 'up' ? 1 : 0)
    },
  )
  gauge(
    registry,
    'berth_hypervisor_images_free_bytes',
    'Free space of its image store',
    ['hypervisor'],
    async (set) => {
      for (const { name, capacity } of await hypervisors.list())
        if (capacity) set({ hypervisor: name }, capacity.imagesFreeBytes)
    },
  )
}

/** How much of what Berth says of its hosts is only what it last knew. */
function addObservations(registry: Registry, hypervisors: Hypervisors, occupancy: Occupancy): void {
  gauge(
    registry,
    'berth_hypervisor_observation_age_seconds',
    'Time since the hypervisor was last observed successfully; absent before the first time',
    ['hypervisor'],
    async (set) => {
      for (const hypervisor of hypervisors.names()) {
        const { ageMs } = occupancy.observation(hypervisor)
        if (ageMs !== null) set({ hypervisor }, ageMs / 1_000)
      }
    },
  )
  gauge(
    registry,
    'berth_hypervisor_observed',
    '1 when what is known of the hypervisor is fresh enough to act upon',
    ['hypervisor'],
    async (set) => {
      for (const hypervisor of hypervisors.names())
        set({ hypervisor }, isObserved(hypervisors, occupancy, hypervisor) ? 1 : 0)
    },
  )
  gauge(
    registry,
    'berth_machines_viewers_unknown',
    'Machines whose viewers are unknown; they count as in use',
    ['hypervisor'],
    async (set) => {
      for (const hypervisor of hypervisors.names())
        set({ hypervisor }, occupancy.faultyOn(hypervisor))
    },
  )
}

function isObserved(hypervisors: Hypervisors, occupancy: Occupancy, name: string): boolean {
  return hypervisors.link(name).status().state === 'up' && occupancy.observation(name).current
}

function addPools(registry: Registry, store: Store): void {
  gauge(registry, 'berth_desktops', 'Members of pools by state', ['pool', 'state'], async (set) => {
    const rows = await store
      .selectFrom('pool_member')
      .innerJoin('pool', 'pool.id', 'pool_member.pool_id')
      .innerJoin('desktop', 'desktop.machine_id', 'pool_member.machine_id')
      .select(['pool.name', 'desktop.state', (eb) => eb.fn.countAll<number>().as('count')])
      .groupBy(['pool.name', 'desktop.state'])
      .execute()
    for (const { name, state, count } of rows) set({ pool: name, state }, count)
  })
  gauge(
    registry,
    'berth_waiting',
    'People and devices that wait for a desktop of a full pool',
    ['pool'],
    async (set) => {
      const rows = await store
        .selectFrom('pool')
        .leftJoin('waiter', 'waiter.pool_id', 'pool.id')
        .select(['pool.name', (eb) => eb.fn.count<number>('waiter.holder').as('count')])
        .groupBy('pool.name')
        .execute()
      for (const { name, count } of rows) set({ pool: name }, count)
    },
  )
  gauge(
    registry,
    'berth_desktops_connected',
    'Assigned desktops with somebody connected',
    [],
    async (set) => {
      const row = await store
        .selectFrom('assignment')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('connected', '=', 1)
        .executeTakeFirstOrThrow()
      set({}, row.count)
    },
  )
}

function addConsoles(registry: Registry, sessions: MetricsDeps['sessions']): void {
  gauge(
    registry,
    'berth_consoles',
    'Open consoles, by protocol, way, and whether they only watch',
    ['protocol', 'via', 'watching'],
    async (set) => {
      const counts = new Map<string, number>()
      for (const { protocol, via, watching } of await sessions())
        counts.set(
          `${protocol} ${via} ${watching}`,
          (counts.get(`${protocol} ${via} ${watching}`) ?? 0) + 1,
        )
      for (const [labels, count] of counts) {
        const [protocol = '', via = '', watching = ''] = labels.split(' ')
        set({ protocol, via, watching }, count)
      }
    },
  )
}

function addClaims(registry: Registry, events: Events): void {
  const latency = new Histogram({
    name: 'berth_claim_seconds',
    help: 'How long a claim took, by its result: given, queued or the code of the refusal',
    labelNames: ['result'],
    buckets: CLAIM_SECONDS,
    registers: [registry],
  })
  const ready = new Histogram({
    name: 'berth_desktop_ready_seconds',
    help: 'From a claim to a desktop that can be opened',
    labelNames: [],
    buckets: READY_SECONDS,
    registers: [registry],
  })
  const ended = new Counter({
    name: 'berth_assignments_ended_total',
    help: 'Assignments that ended, by reason',
    labelNames: ['because'],
    registers: [registry],
  })
  events.subscribe('claimAnswered', (result, ms) => {
    latency.observe({ result }, ms / 1_000)
  })
  events.subscribe('desktopPrepared', (ms) => {
    ready.observe(ms / 1_000)
  })
  events.subscribe('assignmentReleased', (because) => {
    ended.inc({ because })
  })
}

function addBackground(registry: Registry): void {
  const failed: Counter = new Counter({
    name: 'berth_background_failures_total',
    help: 'Background work that failed, by kind; the log says why',
    labelNames: ['what'],
    registers: [registry],
    collect: () => {
      failed.reset()
      for (const [what, { count }] of backgroundFailures()) failed.inc({ what }, count)
    },
  })
}

function gauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  collect: (set: (labels: Record<string, string>, value: number) => void) => Promise<void>,
): void {
  const made: Gauge = new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect: async () => {
      made.reset()
      await collect((labels, value) => {
        made.set(labels, value)
      })
    },
  })
}
