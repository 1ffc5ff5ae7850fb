import { type FleetWithBroker, startFleetWithBroker } from './fleet-with-broker.js'

export interface BenchOptions {
  readonly small: boolean
  readonly runs: number
  /** How long a soak lasts. */
  readonly minutes: number
  readonly log: (line: string) => void
}

/** What measurements share, so that it is brought up once; one at a time, since each would disturb the other. */
export class Places {
  #open: { readonly hosts: number; readonly place: FleetWithBroker } | undefined

  constructor(readonly log: (line: string) => void) {}

  async fleet(hosts: number): Promise<FleetWithBroker> {
    if (this.#open?.hosts === hosts) return this.#open.place
    await this.close()
    const place = await startFleetWithBroker(hosts, this.log)
    this.#open = { hosts, place }
    return place
  }

  async close(): Promise<void> {
    const open = this.#open
    this.#open = undefined
    await open?.place.stop()
  }
}
