/** For what a long poll waits: `machine:ID`, `pool:ID`, `hypervisor:NAME`, `device:ID`. */
export type ChangeTopic = string

/**
 * What a look at a poll has found: nothing to tell yet, but for a change of one of these, or,
 * without a word, after `againMs`.
 */
export interface Waiting {
  readonly topics: readonly ChangeTopic[]
  readonly againMs?: number | undefined
}

/** One long poll: small, since ten thousand wait at a time. It has no timer and no listener of its own. */
export abstract class Poll {
  /** @internal Of the parking. */
  topics: readonly ChangeTopic[] = []
  /** @internal */
  dueAt = 0
  /** @internal */
  place: 'looked-at' | 'parked' | 'queued' | 'over' = 'looked-at'

  /** `untilMs`: when it is answered at the latest, by the clock of the parking. */
  constructor(readonly untilMs: number) {}

  /** Answers and gives null, or gives for what it waits. With `last` it answers in any case. */
  abstract look(last: boolean): Promise<Waiting | null>

  /** Answers with an error. */
  abstract fail(error: unknown): void

  /** It was answered, or nobody waits for the answer any more. Called once. */
  abstract over(): void
}

/** How exactly the end of a poll is kept; all that end within one step are looked at together. */
const STEP_MS = 250
/** So many are woken at a time: others than those who wait have questions, too. */
const AT_ONCE = 32
/** What is known of so many topics; of those before it is assumed that they have changed. */
const MOST_TOPICS = 100_000

/**
 * Where long polls wait: by topic, and by the step of time in which they end. A change wakes those
 * that wait for its topic and no others, a few at a time; a poll is looked at again when one of its
 * own topics changes while it is looked at. `now`: milliseconds of a clock that only goes forward.
 */
export class Parking {
  readonly #byTopic = new Map<ChangeTopic, Set<Poll>>()
  readonly #byStep = new Map<number, Set<Poll>>()
  /** When each topic changed last, as a number that grows with each change; the oldest first. */
  readonly #changed = new Map<ChangeTopic, number>()
  #number = 0
  #forgottenUpTo = 0
  #woken: Poll[] = []
  /**
   * Woken, and looked at now; one that takes long, since a host does not answer, is not counted for
   * longer than a step or two.
   */
  #atWork = new Set<Poll>()
  #slow = new Set<Poll>()
  #isTurnAsked = false
  #step: number
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  /** `onFault`: a poll could be neither looked at nor answered. */
  constructor(
    readonly onFault: (error: unknown) => void,
    readonly now: () => number = () => performance.now(),
  ) {
    this.#step = Math.floor(now() / STEP_MS)
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#passTime()
    }, STEP_MS).unref()
  }

  /** Wakes all for their last look. */
  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
    for (const polls of [...this.#byStep.values()]) for (const poll of [...polls]) this.wake(poll)
  }

  /** Parked now. */
  get size(): number {
    let size = 0
    for (const polls of this.#byStep.values()) size += polls.size
    return size
  }

  /** Names this moment, for `hasChangedSince`. */
  get moment(): number {
    return this.#number
  }

  hasChangedSince(topics: readonly ChangeTopic[], moment: number): boolean {
    return (
      moment < this.#forgottenUpTo ||
      topics.some((topic) => (this.#changed.get(topic) ?? 0) > moment)
    )
  }

  tell(topic: ChangeTopic): void {
    this.#number += 1
    this.#changed.delete(topic)
    this.#changed.set(topic, this.#number)
    if (this.#changed.size > MOST_TOPICS) {
      const [oldest, moment] = this.#changed.entries().next().value as [ChangeTopic, number]
      this.#changed.delete(oldest)
      this.#forgottenUpTo = moment
    }
    for (const poll of [...(this.#byTopic.get(topic) ?? [])]) this.wake(poll)
  }

  /** Those that wait now. */
  *parked(): Iterable<Poll> {
    for (const polls of [...this.#byStep.values()]) yield* [...polls]
  }

  /** Looks at it soon, if it waits. */
  wake(poll: Poll): void {
    if (poll.place !== 'parked') return
    this.#unpark(poll)
    poll.place = 'queued'
    this.#woken.push(poll)
    this.#askForTurn()
  }

  /** Looks at a new poll at once; it is answered, or waits. */
  take(poll: Poll): void {
    this.#look(poll).catch(this.onFault)
  }

  /** Nobody waits for the answer any more. */
  leave(poll: Poll): void {
    if (poll.place === 'over') return
    this.#unpark(poll)
    this.#end(poll)
  }

  async #look(poll: Poll): Promise<void> {
    poll.place = 'looked-at'
    try {
      for (;;) {
        const moment = this.#number
        const waiting = await poll.look(this.#stopped || this.now() >= poll.untilMs)
        if (isOver(poll)) return
        if (waiting === null) {
          this.#end(poll)
          return
        }
        if (!this.hasChangedSince(waiting.topics, moment)) {
          this.#park(poll, waiting)
          return
        }
      }
    } catch (error) {
      if (isOver(poll)) return
      this.#end(poll)
      poll.fail(error)
    }
  }

  #end(poll: Poll): void {
    poll.place = 'over'
    poll.over()
  }

  #park(poll: Poll, { topics, againMs }: Waiting): void {
    poll.place = 'parked'
    poll.topics = topics
    poll.dueAt = Math.max(
      this.#step + 1,
      Math.ceil(Math.min(poll.untilMs, this.now() + (againMs ?? Infinity)) / STEP_MS),
    )
    for (const topic of topics) addTo(this.#byTopic, topic, poll)
    addTo(this.#byStep, poll.dueAt, poll)
    if (this.#stopped) this.wake(poll)
  }

  #unpark(poll: Poll): void {
    if (poll.place !== 'parked') return
    for (const topic of poll.topics) removeFrom(this.#byTopic, topic, poll)
    removeFrom(this.#byStep, poll.dueAt, poll)
  }

  #passTime(): void {
    const now = Math.floor(this.now() / STEP_MS)
    for (; this.#step < now; this.#step += 1)
      for (const poll of [...(this.#byStep.get(this.#step + 1) ?? [])]) this.wake(poll)
    for (const poll of this.#slow) this.#atWork.delete(poll)
    this.#slow = new Set(this.#atWork)
    this.#askForTurn()
  }

  #askForTurn(): void {
    if (this.#isTurnAsked || this.#woken.length === 0 || this.#atWork.size >= AT_ONCE) return
    this.#isTurnAsked = true
    setImmediate(() => {
      this.#isTurnAsked = false
      this.#lookAtWoken()
    })
  }

  #lookAtWoken(): void {
    const batch = this.#woken.splice(0, AT_ONCE - this.#atWork.size)
    for (const poll of batch) {
      if (poll.place !== 'queued') continue
      this.#atWork.add(poll)
      this.#look(poll)
        .catch(this.onFault)
        .finally(() => {
          this.#atWork.delete(poll)
          this.#slow.delete(poll)
          this.#askForTurn()
        })
    }
    this.#askForTurn()
  }
}

/** It may have been left while it was looked at. */
function isOver(poll: Poll): boolean {
  return poll.place === 'over'
}

function addTo<K>(map: Map<K, Set<Poll>>, key: K, poll: Poll): void {
  const polls = map.get(key)
  if (polls) polls.add(poll)
  else map.set(key, new Set([poll]))
}

function removeFrom<K>(map: Map<K, Set<Poll>>, key: K, poll: Poll): void {
  const polls = map.get(key)
  if (polls?.delete(poll) === true && polls.size === 0) map.delete(key)
}
