import { randomBytes } from 'node:crypto'
import type { ConsoleWay } from '../api/consoles.js'
import type { SpiceConsole } from '../api/machines.js'
import { spiceSubject } from '../certificates/authority.js'
import { BrokerError, refusal } from '../errors/broker-error.js'
import { isHidden } from '../hypervisors/listen.js'
import type { DesktopFeatures } from '../hypervisors/domain-xml.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Entrance } from './entrance.js'
import { isLoopback, type Occupant, sameHolder, TICKET_SECONDS } from './policy.js'
import type { ProxyTokens } from './proxy-tokens.js'
import type { ScreenTickets } from './screen-tickets.js'
import type { Asker, ConsoleMachine, ConsoleOptions } from './asker.js'
import type { Tunnels } from './tunnels.js'

export interface SpiceTicketsDeps {
  readonly hypervisors: Hypervisors
  readonly tunnels: Tunnels
  readonly tokens: ProxyTokens
  readonly screenTickets: ScreenTickets
  readonly entrance: Entrance
  readonly ca: string
  readonly publicName: string
  readonly features: (machineId: string) => Promise<DesktopFeatures>
  /** The console proxy's port; 0: there is none. */
  readonly proxyPort: () => number
}

/** One-time tickets for SPICE displays, and the way to them: direct, or through the console proxy. */
export class SpiceTickets {
  constructor(readonly deps: SpiceTicketsDeps) {}

  /** Before anything is done: a way that is not there. */
  refuseImpossible(machine: ConsoleMachine, via: ConsoleWay): void {
    const hidden = isHidden(this.deps.hypervisors.row(machine.hypervisor))
    if (via === 'direct' && hidden)
      throw refusal('displays_on_loopback', { hypervisor: machine.hypervisor })
    if (this.deps.proxyPort() === 0 && (via === 'proxy' || hidden))
      throw refusal('console_proxy_missing')
  }

  /** A ticket that QEMU has accepted; `cut`: who has the console until then and loses it. */
  async give(
    machine: ConsoleMachine,
    asker: Asker,
    options: ConsoleOptions,
    cut: Occupant | null,
  ): Promise<SpiceConsole> {
    const hypervisor = this.deps.hypervisors.row(machine.hypervisor)
    const { usb } = await this.deps.features(machine.id)
    const way = options.via ?? 'auto'
    const password = randomBytes(32).toString('base64url')
    this.deps.tokens.revoke(
      (pass) => pass.machineId === machine.id && (cut !== null || !sameHolder(pass.holder, asker)),
    )
    this.deps.screenTickets.revoke(
      (pass) => pass.machineId === machine.id && !pass.watching && !sameHolder(pass.holder, asker),
    )
    const { tlsPort, listen } = await this.#request(machine, password, way, cut !== null)
    if (cut) await this.#cut(cut, asker, machine.id)
    const console: SpiceConsole = {
      protocol: 'spice',
      host: hypervisor.display_address,
      tlsPort,
      password,
      ca: this.deps.ca,
      hostSubject: spiceSubject(hypervisor.name),
      title: machine.name,
      ticketSeconds: TICKET_SECONDS,
      usb,
    }
    const hidden = isLoopback(listen) || isLoopback(hypervisor.display_address)
    if (way === 'direct' || (way === 'auto' && !hidden)) return console
    return {
      ...console,
      ...this.#throughProxy(machine, asker, listen, tlsPort, options.brokerHost),
    }
  }

  async #request(
    machine: ConsoleMachine,
    password: string,
    way: ConsoleWay,
    cuts: boolean,
  ): Promise<{ tlsPort: number; listen: string }> {
    const { tls_port: tlsPort, listen } = await this.deps.hypervisors
      .link(machine.hypervisor)
      .request<{ tls_port: number; listen: string }>('ticket', {
        domain: machine.name,
        uuid: machine.id,
        password,
        ttl_seconds: TICKET_SECONDS,
        connected: cuts ? 'disconnect' : 'keep',
        // What cannot be opened then replaces nobody's password and cuts nobody.
        reachable: way === 'direct' || this.deps.proxyPort() === 0,
      })
      .catch((error: unknown) => {
        if (error instanceof BrokerError && error.code === 'console_unreachable')
          throw this.#hidden(machine, error)
        if (error instanceof BrokerError && error.code === 'not_found')
          throw refusal('machine_off', { machine: machine.name }, { cause: error })
        throw error
      })
    return { tlsPort, listen }
  }

  /** Whatever the broker carries to its screen for others; QEMU cuts the rest. */
  async #cut(cut: Occupant, asker: Asker, machineId: string): Promise<void> {
    const reason = await this.deps.entrance.takenReason(cut, asker, machineId)
    this.deps.tunnels.cut(
      (one) =>
        one.machineId === machineId &&
        one.kind !== 'forward' &&
        one.kind !== 'watch' &&
        !sameHolder(one.holder, asker),
      { why: 'taken', reason },
    )
  }

  #hidden({ name, hypervisor }: ConsoleMachine, cause: BrokerError): BrokerError {
    return refusal(
      this.deps.proxyPort() === 0 ? 'display_without_way' : 'display_on_loopback',
      { machine: name, hypervisor },
      { cause },
    )
  }

  #throughProxy(
    machine: ConsoleMachine,
    asker: Asker,
    listen: string,
    port: number,
    brokerHost = this.deps.publicName,
  ): { host: string; proxy: string } {
    const displayHost = listen === '0.0.0.0' ? '127.0.0.1' : listen === '::' ? '::1' : listen
    const host = this.deps.tokens.issue({
      machineId: machine.id,
      hypervisor: machine.hypervisor,
      displayHost,
      port,
      address: asker.address,
      holder: { kind: asker.kind, name: asker.name },
    })
    const isBareIpv6 = brokerHost.includes(':') && !brokerHost.startsWith('[')
    const proxyHost = isBareIpv6 ? `[${brokerHost}]` : brokerHost
    return { host, proxy: `http://${proxyHost}:${this.deps.proxyPort()}` }
  }
}
