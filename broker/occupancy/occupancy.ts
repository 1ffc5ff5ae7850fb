/** What asking one machine came to: who is connected, or why that is not known. */
export type Look = { readonly viewers: readonly string[] } | { readonly fault: string }

/** Addresses of those who are connected through the broker: at the screen, and at a port of the guest. */
export interface CarriedViewers {
  readonly screens: readonly string[]
  readonly forwards: readonly string[]
}

/**
 * Who uses a machine. `unknown`: why nobody can tell whether these are all, for the reader; such a
 * machine counts as in use.
 */
export interface Use {
  readonly viewers: readonly string[]
  readonly unknown: string | null
}

/** How fresh a host's picture is. `reason`: why it is not current, in one sentence. */
export interface Observation {
  readonly current: boolean
  readonly ageMs: number | null
  readonly reason: string
}

export interface OccupancyDeps {
  readonly monotonicMs: () => number
  /** What was seen longer ago counts as not known. */
  readonly maxAgeMs: number
}

/**
 * `viewers`: as they were last known. `sinceMs`: since when that has been known without a break;
 * null while it is not.
 */
interface Seen {
  readonly viewers: readonly string[]
  readonly atMs: number
  readonly sinceMs: number | null
  readonly fault: string | null
}
interface SeenHost {
  readonly atMs: number | null
  readonly sinceMs: number | null
  readonly fault: string | null
}

const NEVER: SeenHost = { atMs: null, sinceMs: null, fault: null }

/**
 * Who uses which machine, and how fresh that is known; in memory, since it is what this process has
 * seen itself. All times are of the monotonic clock. No answer is not the answer that nobody is
 * there: whoever takes something from somebody asks `use` or `isSettled` first.
 */
export class Occupancy {
  readonly #seen = new Map<string, Seen>()
  readonly #carried = new Map<string, CarriedViewers>()
  readonly #watchers = new Map<string, readonly string[]>()
  readonly #hosts = new Map<string, SeenHost>()
  readonly #machinesOf = new Map<string, ReadonlySet<string>>()
  /** Those whose last look failed. */
  readonly #faulty = new Set<string>()

  constructor(readonly deps: OccupancyDeps) {}

  /**
   * Takes a whole look at a host, which was begun at `atMs`; gives the machines of which something
   * else is known now. Machines that are not in it are forgotten.
   */
  noteLook(hypervisor: string, looks: ReadonlyMap<string, Look>, atMs: number): string[] {
    const before = this.#hosts.get(hypervisor) ?? NEVER
    if (before.atMs !== null && before.atMs > atMs) return [] // a later look was quicker
    this.#hosts.set(hypervisor, {
      atMs,
      sinceMs: this.#goesOn(before, atMs) ? before.sinceMs : atMs,
      fault: null,
    })
    for (const id of this.#machinesOf.get(hypervisor) ?? [])
      if (!looks.has(id)) {
        this.#seen.delete(id)
        this.#faulty.delete(id)
      }
    this.#machinesOf.set(hypervisor, new Set(looks.keys()))
    return [...looks].filter(([id, look]) => this.#note(id, look, atMs)).map(([id]) => id)
  }

  /** A look at the host failed. */
  noteFault(hypervisor: string, fault: string): void {
    this.#hosts.set(hypervisor, { ...(this.#hosts.get(hypervisor) ?? NEVER), fault })
  }

  /** The line to the host was lost: what is seen when it is back is a new beginning. */
  noteAway(hypervisor: string): void {
    this.#hosts.set(hypervisor, { ...(this.#hosts.get(hypervisor) ?? NEVER), sinceMs: null })
    for (const id of this.#machinesOf.get(hypervisor) ?? []) {
      const seen = this.#seen.get(id)
      if (seen) this.#seen.set(id, { ...seen, sinceMs: null })
    }
  }

  /** What the broker itself carries to a machine, told by who carries it; gives whether that is news. */
  noteCarried(machineId: string, carried: CarriedViewers): boolean {
    const before = this.viewers(machineId)
    if (carried.screens.length + carried.forwards.length === 0) this.#carried.delete(machineId)
    else this.#carried.set(machineId, carried)
    return !sameList(before, this.viewers(machineId))
  }

  /** Who looks at a machine's screen without having it, told by who carries it; gives whether that is news. */
  noteWatchers(machineId: string, watchers: readonly string[]): boolean {
    const before = this.watchers(machineId)
    if (watchers.length === 0) this.#watchers.delete(machineId)
    else this.#watchers.set(machineId, watchers)
    return !sameList(before, watchers)
  }

  /** Names of those who look at its screen without having it. They do not use the machine. */
  watchers(machineId: string): readonly string[] {
    return this.#watchers.get(machineId) ?? []
  }

  /** Addresses of those who use a machine, in whatever way Berth can see, as they were last known. */
  viewers(machineId: string): readonly string[] {
    return [...this.atScreen(machineId), ...(this.#carried.get(machineId)?.forwards ?? [])]
  }

  /** Addresses of those who have its screen before them. */
  atScreen(machineId: string): readonly string[] {
    return [...this.atDisplay(machineId), ...(this.#carried.get(machineId)?.screens ?? [])]
  }

  /** Machines at whose displays somebody was seen. */
  occupied(): string[] {
    return [...this.#seen].filter(([, { viewers }]) => viewers.length > 0).map(([id]) => id)
  }

  /** Addresses of those who have its screen, as its QEMU says: those in a browser are not among them. */
  atDisplay(machineId: string): readonly string[] {
    return this.#seen.get(machineId)?.viewers ?? []
  }

  use(machineId: string): Use {
    return { viewers: this.viewers(machineId), unknown: this.unknown(machineId) }
  }

  /** Why it is not known who uses the machine now, or null when it is. */
  unknown(machineId: string): string | null {
    const seen = this.#seen.get(machineId)
    if (!seen) return 'it has not been looked at yet'
    if (seen.fault !== null) return seen.fault
    const ageMs = this.deps.monotonicMs() - seen.atMs
    return ageMs > this.deps.maxAgeMs
      ? `it was last looked at ${Math.round(ageMs / 1000)} s ago`
      : null
  }

  /** It has been known for so long, without a break, who uses the machine. */
  isSettled(machineId: string, graceMs: number): boolean {
    const since = this.#seen.get(machineId)?.sinceMs ?? null
    return (
      this.unknown(machineId) === null &&
      since !== null &&
      this.deps.monotonicMs() - since >= graceMs
    )
  }

  /** The machines whose own look failed, though their host was seen. */
  faulty(): readonly string[] {
    return [...this.#faulty]
  }

  faultyOn(hypervisor: string): number {
    return [...(this.#machinesOf.get(hypervisor) ?? [])].filter((id) => this.#faulty.has(id)).length
  }

  observation(hypervisor: string): Observation {
    const { atMs, fault } = this.#hosts.get(hypervisor) ?? NEVER
    const ageMs = atMs === null ? null : this.deps.monotonicMs() - atMs
    const current = ageMs !== null && ageMs <= this.deps.maxAgeMs
    if (fault === null && (current || ageMs === null)) return { current, ageMs, reason: '' }
    const since = ageMs === null ? 'It has not been seen yet' : `Last seen ${seconds(ageMs)} ago`
    return { current, ageMs, reason: `${since}${fault === null ? '.' : `: ${fault}`}` }
  }

  /** The host has been seen for so long without a break, and was seen just now. */
  isHostSettled(hypervisor: string, graceMs: number): boolean {
    const { sinceMs } = this.#hosts.get(hypervisor) ?? NEVER
    return (
      sinceMs !== null &&
      this.observation(hypervisor).current &&
      this.deps.monotonicMs() - sinceMs >= graceMs
    )
  }

  #goesOn(before: { sinceMs: number | null; atMs: number | null }, atMs: number): boolean {
    return (
      before.sinceMs !== null && before.atMs !== null && atMs - before.atMs <= this.deps.maxAgeMs
    )
  }

  #note(machineId: string, look: Look, atMs: number): boolean {
    const before = this.#seen.get(machineId)
    if ('fault' in look) {
      this.#faulty.add(machineId)
      this.#seen.set(machineId, {
        viewers: before?.viewers ?? [],
        atMs: before?.atMs ?? atMs,
        sinceMs: null,
        fault: look.fault,
      })
      return before?.fault !== look.fault
    }
    this.#faulty.delete(machineId)
    const goesOn = before !== undefined && this.#goesOn(before, atMs)
    this.#seen.set(machineId, {
      viewers: look.viewers,
      atMs,
      sinceMs: goesOn ? before.sinceMs : atMs,
      fault: null,
    })
    return before === undefined || before.fault !== null || !sameList(before.viewers, look.viewers)
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((address, index) => address === other[index])
}
