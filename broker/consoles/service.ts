import type { Logger } from 'pino'
import type { Session } from '../api/consoles.js'
import type { Holder, SpiceConsole } from '../api/machines.js'
import { type Actor, BERTH, recordEvent } from '../audit/store.js'
import { BrokerError } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { DesktopFeatures } from '../hypervisors/domain-xml.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Observer } from '../machines/observer.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { Asker, ConsoleMachine, ConsoleOptions } from './asker.js'
import { ConsoleProxy } from './console-proxy.js'
import { Entrance } from './entrance.js'
import { actorName, plainAddress, sameHolder, type Stay } from './policy.js'
import { endOverstaying } from './overstaying.js'
import { Presence } from './presence.js'
import { ProxyTokens } from './proxy-tokens.js'
import { Screens } from './screens.js'
import { SpiceTickets } from './spice-tickets.js'
import { removeSeat, seatOf } from './store.js'
import { type Carried, type Cut, Tunnels } from './tunnels.js'

export interface ConsolesDeps {
  readonly store: Store
  readonly events: Events
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly log: Logger
  /** PEM, for the viewer. */
  readonly ca: string
  readonly now: () => number
  /** 0: there is no console proxy. */
  readonly proxyPort: number
  readonly listenAddress: string
  /** By which viewers reach the broker when the question does not tell. */
  readonly publicName: string
  /** Whether they may cut somebody else's console (verb takeConsole); who may, is told whose it is. */
  readonly mayTake: (asker: Holder, machineId: string) => Promise<boolean>
  /** Whether they may see who has a console. */
  readonly mayKnow: (asker: Holder, machineId: string) => Promise<boolean>
  /** Throws while the machine still shows its last holder's doings, or is another one's. */
  readonly refuseNotReady: (asker: Asker, machine: ConsoleMachine) => Promise<void>
  /** A ticket was given. */
  readonly onTicket: (asker: Asker, machineId: string) => Promise<void>
  /**
   * Asked again and again while consoles or forwarded ports are open, for all in their order; those
   * end whose answer is no.
   */
  readonly mayStay: (stays: readonly Stay[]) => Promise<readonly boolean[]>
  /** Whether a login goes on; what it opened through the broker ends with it. */
  readonly loginLives: (login: string) => Promise<boolean>
  /** What the policy of the machine lets a viewer do. */
  readonly features: (machineId: string) => Promise<DesktopFeatures>
  /** In which order its ways are shown; empty: no policy says. */
  readonly protocols: (machineId: string) => Promise<readonly string[]>
}

const CHECK_STAY_EVERY_MS = 30_000

/**
 * Consoles: one interactive viewer a machine, who has it, tickets, takeover, and the connections
 * that the broker carries.
 */
export class Consoles {
  readonly tunnels: Tunnels
  readonly tokens: ProxyTokens
  readonly presence: Presence
  readonly screens: Screens
  readonly #entrance: Entrance
  readonly #proxy: ConsoleProxy
  readonly #tickets: SpiceTickets
  #proxyPort = 0
  #timer: NodeJS.Timeout | undefined
  #checking: Promise<void> | undefined
  #checkAgain = false

  constructor(readonly deps: ConsolesDeps) {
    this.tokens = new ProxyTokens(() => performance.now())
    this.tunnels = new Tunnels(deps.now)
    this.tunnels.on('change', (machineId) => {
      this.#noteCarried(machineId)
    })
    this.#entrance = new Entrance({ ...deps, tunnels: this.tunnels })
    this.screens = new Screens({
      ...deps,
      tunnels: this.tunnels,
      entrance: this.#entrance,
    })
    this.#tickets = new SpiceTickets({
      ...deps,
      tunnels: this.tunnels,
      tokens: this.tokens,
      screenTickets: this.screens.tickets,
      entrance: this.#entrance,
      proxyPort: () => this.#proxyPort,
    })
    this.presence = new Presence({ ...deps, tunnels: this.tunnels })
    this.#proxy = new ConsoleProxy({
      tokens: this.tokens,
      tunnels: this.tunnels,
      hypervisors: deps.hypervisors,
      log: deps.log,
    })
  }

  /** The console proxy's port, 0 without one. */
  get proxyPort(): number {
    return this.#proxyPort
  }

  async start(): Promise<void> {
    this.presence.start()
    this.screens.start()
    this.deps.events.subscribe('powerChanged', (machineId, power) => {
      if (power === 'off' || power === 'missing' || power === 'crashed')
        this.#cut(machineId, { why: 'machineOff', reason: 'the machine stopped' })
    })
    this.#timer = setInterval(() => {
      this.checkSoon()
    }, CHECK_STAY_EVERY_MS)
    if (this.deps.proxyPort !== 0)
      this.#proxyPort = await this.#proxy.listen(this.deps.listenAddress, this.deps.proxyPort)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.tunnels.cut(() => true, { why: 'stopping', reason: 'the broker is stopping' })
    await this.#checking
    await this.#proxy.close()
    await this.presence.settled()
  }

  /**
   * Gives a fresh one-time ticket for a running machine's SPICE display: 256 bits in 43 characters
   * (SPICE takes 60). QEMU has accepted it when this returns. The asker's own viewer stays
   * connected until the new one comes. Throws `machine_off`, `console_in_use`, `forbidden`,
   * `console_unreachable` or `hypervisor_unreachable`.
   */
  async spiceConsole(
    machine: ConsoleMachine,
    asker: Asker,
    options: ConsoleOptions = {},
  ): Promise<SpiceConsole> {
    return await this.#entrance.inTurn(machine.id, async () => {
      this.#tickets.refuseImpossible(machine, options.via ?? 'auto')
      await this.deps.refuseNotReady(asker, machine)
      const { occupant } = await this.#entrance.find(machine)
      const cut = (await this.#entrance.decide(machine, asker, occupant, options)) ? occupant : null
      const console = await this.#tickets.give(machine, asker, options, cut)
      await this.#entrance.noteTicket(
        machine,
        asker,
        console.proxy === undefined ? 'direct' : 'proxy',
        cut,
      )
      if (cut)
        this.deps.events.publish('consoleTaken', {
          machineId: machine.id,
          from: cut.holder,
          by: asker,
        })
      await this.deps.onTicket(asker, machine.id)
      return cut
        ? { ...console, taken: { from: cut.holder, since: new Date(cut.sinceMs).toISOString() } }
        : console
    })
  }

  /**
   * Ends every console of a machine, and what is carried to it: at release, or when a permission
   * ends. With `holder`, only when it is theirs. What the broker carries ends at once. Rejects when
   * the hypervisor cannot be asked to cut a direct viewer; repeat it then.
   */
  async revoke(machine: ConsoleMachine, by: Actor = BERTH, holder?: Holder): Promise<void> {
    const seat = await seatOf(this.deps.store, machine.id)
    if (holder && (!seat || !sameHolder(seat.holder, holder))) {
      this.#cut(machine.id, { why: 'over', reason: 'the permission ended' }, holder)
      return
    }
    this.#cut(machine.id, { why: 'over', reason: 'the console was revoked' }, holder)
    let connected = false
    await this.#entrance.inTurn(machine.id, async () => {
      await this.deps.hypervisors
        .link(machine.hypervisor)
        .request('disconnect', { domain: machine.name, uuid: machine.id })
        .catch((error: unknown) => {
          // A machine that is off shows nobody anything, and one without SPICE has nobody there.
          if (
            !(error instanceof BrokerError) ||
            !(
              error.code === 'not_found' ||
              (error.code === 'hypervisor_refused' && seat?.via === 'browser')
            )
          )
            throw error
        })
      connected = await inTransaction(this.deps.store, async (tx) => {
        const now = await seatOf(tx, machine.id) // presence may have noted its end meanwhile
        if (!now || !seat) return false
        await removeSeat(tx, machine.id)
        await recordEvent(tx, by, 'console.revoke', `machine:${machine.name}`, {
          from: actorName(seat.holder),
        })
        return now.connectedAt !== null
      })
    })
    if (seat !== null && connected)
      this.deps.events.publish('consoleClosed', machine.id, seat.holder)
    this.deps.events.publish('consoleRevoked', machine.id)
  }

  /**
   * The machine is no longer who had it: whoever still looks at it is cut off. What cannot be done
   * now, the look at who may stay repeats.
   */
  async endAll(machineId: string): Promise<void> {
    const machine = await this.deps.store
      .selectFrom('machine')
      .select(['id', 'name', 'hypervisor'])
      .where('id', '=', machineId)
      .executeTakeFirst()
    if (machine)
      await this.revoke(machine).catch((error: unknown) => {
        this.deps.log.info(
          { err: error, machine: machine.name },
          'the consoles of a released machine could not be ended yet',
        )
      })
  }

  /** Every console that is connected now; with `names`, those of these machines. */
  async sessions(names?: readonly string[]): Promise<Session[]> {
    return await this.presence.sessions(names)
  }

  /** Ends what those have open who may not have it any more. */
  async checkStay(): Promise<void> {
    await endOverstaying(this.deps, this.tunnels, async (machine, holder) => {
      await this.revoke(machine, BERTH, holder)
    })
  }

  /** The same soon, as after something that may have taken a permission or a login away; many calls make one look. */
  checkSoon(): void {
    if (this.#checking) {
      this.#checkAgain = true
      return
    }
    this.#checking = this.checkStay()
      .catch((error: unknown) => {
        this.deps.log.error({ err: error }, 'checking who may stay failed')
      })
      .finally(() => {
        this.#checking = undefined
        const again = this.#checkAgain
        this.#checkAgain = false
        if (again) this.checkSoon()
      })
  }

  /** A browser's screen and a forwarded port are seen by nobody but the broker. */
  #noteCarried(machineId: string): void {
    const { observer, events } = this.deps
    const open = this.tunnels.of(machineId)
    const addresses = (kind: Carried['kind']): string[] => [
      ...new Set(
        open.filter((one) => one.kind === kind).map(({ address }) => plainAddress(address)),
      ),
    ]
    const screens = addresses('screen')
    observer.noteCarried(machineId, { screens, forwards: addresses('forward') })
    const watching = open.filter(({ kind }) => kind === 'watch')
    const watchers = [...new Set(watching.map(({ holder }) => actorName(holder)))]
    if (observer.occupancy.noteWatchers(machineId, watchers))
      events.publish('consoleWatched', machineId)
  }

  #cut(machineId: string, cut: Cut, holder?: Holder): void {
    const which = (one: { machineId: string; holder: Holder }): boolean =>
      one.machineId === machineId && (holder === undefined || sameHolder(one.holder, holder))
    this.tokens.revoke(which)
    this.screens.tickets.revoke(which)
    this.tunnels.cut(which, cut)
  }
}
