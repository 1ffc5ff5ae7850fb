import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import type { WebSocket } from 'ws'
import type { Screen, ScreenClose, ScreenRequest } from '../api/consoles.js'
import type { Holder } from '../api/machines.js'
import { recordEvent } from '../audit/store.js'
import { BrokerError, refusal } from '../errors/broker-error.js'
import type { ErrorCode } from '../errors/codes.js'
import type { Events } from '../events/bus.js'
import type { DesktopFeatures } from '../hypervisors/domain-xml.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Observer } from '../machines/observer.js'
import type { Store } from '../store/open.js'
import type { Entrance, EntranceWish } from './entrance.js'
import { actorName, type Occupant, TICKET_SECONDS } from './policy.js'
import { RfbFilter } from './rfb-filter.js'
import { carryScreen, closeScreen, type ScreenEnd, ticketFrom } from './screen-carry.js'
import { type ScreenPass, ScreenTickets } from './screen-tickets.js'
import type { Asker, ConsoleMachine } from './asker.js'
import { moveHere, takeSeat, whyEnded, yieldSeat } from './screen-seat.js'
import type { Carried, Tunnels } from './tunnels.js'
import { keepAlive } from './upgrades.js'

export interface ScreensDeps {
  readonly store: Store
  readonly events: Events
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly log: Logger
  readonly now: () => number
  readonly entrance: Entrance
  readonly tunnels: Tunnels
  readonly mayTake: (asker: Holder, machineId: string) => Promise<boolean>
  readonly refuseNotReady: (asker: Asker, machine: ConsoleMachine) => Promise<void>
  readonly onTicket: (asker: Asker, machineId: string) => Promise<void>
  readonly features: (machineId: string) => Promise<DesktopFeatures>
}

/** What a refusal of the host means for the page. */
const CLOSE_OF: Partial<Record<ErrorCode, ScreenClose>> = {
  not_found: 'machineOff',
  machine_off: 'machineOff',
  hypervisor_unreachable: 'hostAway',
  timeout: 'hostAway',
  hypervisor_refused: 'unreachable',
  too_many_connections: 'tooMany',
}

/** Screens in a browser: a ticket, then a WebSocket on which the broker carries the machine's VNC display. */
export class Screens {
  readonly tickets: ScreenTickets

  constructor(readonly deps: ScreensDeps) {
    this.tickets = new ScreenTickets(() => performance.now())
  }

  start(): void {
    this.deps.events.subscribe('viewersChanged', (machineId) => {
      yieldSeat(this.deps, machineId).catch((error: unknown) => {
        this.deps.log.error({ err: error }, 'a screen could not be given to another viewer')
      })
    })
  }

  /**
   * A ticket for the screen of a running machine. Throws `machine_off`, `console_in_use`,
   * `forbidden` or `hypervisor_unreachable`.
   */
  async ask(
    machine: ConsoleMachine,
    asker: Asker,
    { take = false, watch = false }: ScreenRequest,
    loginVerbs?: EntranceWish['loginVerbs'],
  ): Promise<Screen> {
    const { entrance, features, onTicket, refuseNotReady } = this.deps
    return await entrance.inTurn(machine.id, async () => {
      await refuseNotReady(asker, machine)
      if (watch) await this.#requireMayWatch(machine, asker, loginVerbs)
      const { running, occupant, spice } = await entrance.find(machine)
      if (!running) throw refusal('machine_off', { machine: machine.name })
      const { clipboard } = await features(machine.id)
      const screen = (): Screen => ({
        ticket: this.#ticket(machine, asker, watch, clipboard),
        ticketSeconds: TICKET_SECONDS,
        viewOnly: watch,
        clipboard: clipboard && !watch,
        title: machine.name,
      })
      if (watch) return screen()
      const cut = (await entrance.decide(machine, asker, occupant, {
        take,
        ...(loginVerbs ? { loginVerbs } : {}),
      }))
        ? occupant
        : null
      if (cut)
        await takeSeat({ ...this.deps, tickets: this.tickets }, machine, {
          from: cut,
          by: asker,
          spice,
        })
      await entrance.noteTicket(machine, asker, 'browser', cut)
      if (cut) this.#tellTaken(machine, cut, asker)
      await onTicket(asker, machine.id)
      return cut
        ? { ...screen(), taken: { from: cut.holder, since: new Date(cut.sinceMs).toISOString() } }
        : screen()
    })
  }

  #tellTaken({ id: machineId }: ConsoleMachine, { holder: from }: Occupant, by: Asker): void {
    this.deps.events.publish('consoleTaken', { machineId, from, by })
  }

  /** Serves one WebSocket from its first message to its end. Never throws: what is wrong is said in the close. */
  async serve(machine: ConsoleMachine, asker: Asker, webSocket: WebSocket): Promise<void> {
    webSocket.on('error', () => {})
    const stopPinging = keepAlive(webSocket)
    webSocket.once('close', stopPinging)
    try {
      const pass = await this.#passOf(machine, asker, webSocket)
      if (pass) await this.#show(machine, asker, pass, webSocket)
      else
        closeScreen(
          webSocket,
          'badTicket',
          'The ticket is not good any more: open the screen again.',
        )
    } catch (error) {
      const known = error instanceof BrokerError ? CLOSE_OF[error.code] : undefined
      if (known === undefined)
        this.deps.log.error({ err: error, machine: machine.name }, 'a screen could not be shown')
      closeScreen(
        webSocket,
        known ?? 'ended',
        error instanceof BrokerError
          ? error.message
          : 'The broker has a fault; its log has the details.',
      )
    }
  }

  async #passOf(
    machine: ConsoleMachine,
    asker: Asker,
    webSocket: WebSocket,
  ): Promise<ScreenPass | null> {
    const out = this.#admit(machine, asker, 'opening', (why, sentence) => {
      closeScreen(webSocket, why, sentence)
    })
    try {
      const ticket = await ticketFrom(webSocket)
      return ticket === null
        ? null
        : this.tickets.enter(ticket, {
            machineId: machine.id,
            login: asker.login ?? '',
            holder: { kind: asker.kind, name: asker.name },
          })
    } finally {
      out()
    }
  }

  /** Opens the display, makes it the only one of its seat, and carries it to its end. */
  async #show(
    machine: ConsoleMachine,
    asker: Asker,
    pass: ScreenPass,
    webSocket: WebSocket,
  ): Promise<void> {
    const { entrance, hypervisors } = this.deps
    let display: Duplex | undefined
    const out = this.#admit(machine, asker, pass.watching ? 'watch' : 'screen', (why, sentence) => {
      out()
      closeScreen(webSocket, why, sentence)
      display?.destroy()
    })
    try {
      await entrance.inTurn(machine.id, async () => {
        display = await hypervisors.link(machine.hypervisor).openDisplay(machine.name)
        if (!pass.watching) await moveHere(this.deps, machine, webSocket)
      })
      if (display === undefined || webSocket.readyState !== webSocket.OPEN) return
      if (pass.watching) await this.#noteWatching(machine, asker, true)
      const end = await carryScreen(
        webSocket,
        display,
        new RfbFilter({ viewOnly: pass.watching, clipboard: pass.clipboard }),
      )
      if (pass.watching) await this.#noteWatching(machine, asker, false)
      await this.#sayWhy(machine, end, webSocket)
    } finally {
      display?.on('error', () => {}).destroy()
      out()
    }
  }

  /** Counts a connection in; `cut` is told once, with the sentence for the reader. */
  #admit(
    machine: ConsoleMachine,
    asker: Asker,
    kind: Carried['kind'],
    cut: (why: ScreenClose, sentence: string) => void,
  ): () => void {
    const holder = { kind: asker.kind, name: asker.name }
    return this.deps.tunnels.admit(
      {
        machineId: machine.id,
        holder,
        address: asker.address,
        kind,
        ...(asker.login === undefined ? {} : { login: asker.login }),
      },
      ({ why, reason }) => {
        cut(why, `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`)
      },
    )
  }

  #ticket(machine: ConsoleMachine, asker: Asker, watching: boolean, clipboard: boolean): string {
    return this.tickets.issue({
      machineId: machine.id,
      holder: { kind: asker.kind, name: asker.name },
      login: asker.login ?? '',
      watching,
      clipboard,
    })
  }

  async #requireMayWatch(
    machine: ConsoleMachine,
    asker: Asker,
    loginVerbs: EntranceWish['loginVerbs'],
  ): Promise<void> {
    const may =
      (loginVerbs === undefined || loginVerbs.has('takeConsole')) &&
      (await this.deps.mayTake(asker, machine.id))
    if (!may) throw refusal('console_not_to_watch', { machine: machine.name })
  }

  async #noteWatching(machine: ConsoleMachine, asker: Asker, begins: boolean): Promise<void> {
    await recordEvent(
      this.deps.store,
      { actor: actorName(asker), address: asker.address },
      begins ? 'console.watch' : 'console.watch-end',
      `machine:${machine.name}`,
      {},
    )
  }

  async #sayWhy(machine: ConsoleMachine, end: ScreenEnd, webSocket: WebSocket): Promise<void> {
    if (end.by === 'viewer' || webSocket.readyState !== webSocket.OPEN) return
    if (end.by === 'fault') closeScreen(webSocket, 'refused', end.sentence)
    else closeScreen(webSocket, ...(await whyEnded(this.deps, machine)))
  }
}
