import type { Logger } from 'pino'
import { countFailure } from '../background.js'
import type { EventAboutOne, EventMap, EventName } from './map.js'

/** Notes what it hears and returns: work that takes time is done afterwards, by the listener. */
export type Listener<N extends EventName> = (...said: EventMap[N]) => void

type AnyListener = (...said: readonly unknown[]) => void

/** Events that answer one another in a circle end here, and not when the stack is used up. */
const MOST_NESTED = 8

/**
 * How the folders of the broker tell one another what has happened, without knowing who listens.
 * Listeners are called at once, in the order in which they subscribed; one that throws is logged
 * and counted, and harms neither the other listeners nor the publisher. Events are of this process
 * and are not kept: a listener that must miss none also polls.
 */
export class Events {
  readonly #listeners = new Map<EventName, Set<AnyListener>>()
  /** By event and by what it is about: many wait, each for their own. */
  readonly #listenersAbout = new Map<string, Set<AnyListener>>()
  #nested = 0

  constructor(readonly log: Logger) {}

  /** Tells all who listen. To be called when what is said is committed. */
  publish<N extends EventName>(name: N, ...said: EventMap[N]): void {
    if (this.#nested >= MOST_NESTED) {
      this.log.error({ event: name }, 'events answer one another in a circle: this one is dropped')
      return
    }
    this.#nested += 1
    try {
      this.#tell(name, this.#listeners.get(name), said)
      const [about] = said
      if (typeof about === 'string')
        this.#tell(name, this.#listenersAbout.get(keyOf(name, about)), said)
    } finally {
      this.#nested -= 1
    }
  }

  /** Gives the function that ends it. */
  subscribe<N extends EventName>(name: N, listener: Listener<N>): () => void {
    return add(this.#listeners, name, listener as AnyListener)
  }

  /** The same of several events, whose listener asks for no more than what they are about. */
  subscribeAll<N extends EventName>(
    names: readonly N[],
    listener: (about: EventMap[N][0]) => void,
  ): () => void {
    const ends = names.map((name) =>
      this.subscribe(name, (...said) => {
        listener(said[0])
      }),
    )
    return () => {
      for (const end of ends) end()
    }
  }

  /** Only of this one thing; what happens to others costs nothing. Gives the function that ends it. */
  subscribeAbout<N extends EventAboutOne>(
    name: N,
    about: string,
    listener: Listener<N>,
  ): () => void {
    return add(this.#listenersAbout, keyOf(name, about), listener as AnyListener)
  }

  /** Who subscribes meanwhile hears the next one; who ends it meanwhile hears nothing. */
  #tell(
    name: EventName,
    listeners: ReadonlySet<AnyListener> | undefined,
    said: EventMap[EventName],
  ): void {
    for (const listener of [...(listeners ?? [])]) {
      if (listeners?.has(listener) !== true) continue
      try {
        listener(...said)
      } catch (error) {
        countFailure('events', error)
        this.log.error({ err: error, event: name }, 'a listener of an event failed')
      }
    }
  }
}

function keyOf(name: EventName, about: string): string {
  return `${name} ${about}`
}

function add<K>(all: Map<K, Set<AnyListener>>, key: K, listener: AnyListener): () => void {
  const listeners = all.get(key) ?? new Set()
  const own = (...said: readonly unknown[]): void => {
    listener(...said)
  }
  all.set(key, listeners.add(own))
  return () => {
    listeners.delete(own)
    if (listeners.size === 0 && all.get(key) === listeners) all.delete(key)
  }
}
