import type { ConsoleWay } from '../api/consoles.js'
import type { Holder } from '../api/machines.js'

/** A person or a thin client that asks, and from where. `login`: by which login, where that may end. */
export interface Asker extends Holder {
  readonly address: string
  readonly login?: string
}
export interface ConsoleOptions {
  readonly take?: boolean
  readonly via?: ConsoleWay
  /**
   * What the login that asks may do with the machine, where that is less than its account may (a
   * token with scopes); absent: everything.
   */
  readonly loginVerbs?: ReadonlySet<string>
  /** The host name by which they reach the broker, for the proxy's address. */
  readonly brokerHost?: string
}
export interface ConsoleMachine {
  readonly id: string
  readonly name: string
  readonly hypervisor: string
}
