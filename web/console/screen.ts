import RFB from '@novnc/novnc'
import type { Screen as Ticket, ScreenRequest } from '../../broker/api/consoles.js'
import { api, ApiError, path } from '../api/client.js'
import { comesBack, type End, endOf, waitBefore } from './ends.js'

/**
 * connecting: a ticket is asked for, or the socket opens; open: the screen is there; waiting: it
 * broke and is tried again at `at`; ended: it is not tried again by itself; refused: the broker
 * says no; inUse: somebody else has it.
 */
export type ScreenState =
  | { readonly is: 'connecting' }
  | { readonly is: 'open'; readonly ticket: Ticket }
  | { readonly is: 'waiting'; readonly at: number; readonly end: End; readonly sentence: string }
  | { readonly is: 'ended'; readonly end: End; readonly sentence: string }
  | { readonly is: 'refused' | 'inUse'; readonly error: ApiError }

/** Faults that pass by themselves. */
const PASSING: readonly string[] = [
  'no_connection',
  'hypervisor_unreachable',
  'timeout',
  'shutting_down',
  'internal',
]
const HANDSHAKE_MS = 15_000
const TICKET_MS = 30_000

/** One screen in the browser: ticket, socket, noVNC; and again when the line breaks. `onState` hears how it stands. */
export class Screen {
  #rfb: RFB | null = null
  #socket: WebSocket | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #tries = 0
  #closed = false

  constructor(
    readonly target: HTMLElement,
    readonly machine: string,
    readonly wish: ScreenRequest,
    readonly onState: (state: ScreenState, rfb: RFB | null) => void,
  ) {}

  /** Asks for a new ticket at once. `take`: cut whoever has it; only this time. */
  connect(take = false): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#drop()
    this.#tell({ is: 'connecting' })
    const wish = { ...this.wish, ...(take ? { take } : {}) }
    api<Ticket>('POST', path`/machines/${this.machine}/screen`, {
      body: wish,
      withinMs: TICKET_MS,
    }).then(
      (ticket) => {
        if (!this.#closed) this.#open(ticket)
      },
      (error: unknown) => {
        this.#refused(error)
      },
    )
  }

  /** Does not wait for the next try. */
  hurry(): void {
    if (this.#timer !== undefined) this.connect()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#drop()
  }

  #refused(fault: unknown): void {
    const error = fault instanceof ApiError ? fault : new ApiError(0, 'internal', String(fault))
    if (PASSING.includes(error.code))
      this.#later(
        error.code === 'hypervisor_unreachable' ? 'hostAway' : 'network',
        error.code === 'no_connection' ? '' : error.message,
      )
    else if (error.code === 'machine_off')
      this.#tell({ is: 'ended', end: 'machineOff', sentence: error.message })
    else this.#tell({ is: error.code === 'console_in_use' ? 'inUse' : 'refused', error })
  }

  #open(ticket: Ticket): void {
    const socket = new WebSocket(
      new URL(
        `/api/v1${path`/machines/${this.machine}/screen`}`,
        window.location.href.replace(/^http/, 'ws'),
      ),
    )
    socket.binaryType = 'arraybuffer'
    this.#socket = socket
    const patience = setTimeout(() => {
      socket.close()
    }, HANDSHAKE_MS)
    socket.addEventListener('open', () => {
      socket.send(JSON.stringify({ ticket: ticket.ticket }))
      const rfb = new RFB(this.target, socket, { shared: true })
      this.#rfb = rfb
      rfb.viewOnly = ticket.viewOnly
      rfb.focusOnClick = true
      // noVNC complains when it is ended twice.
      rfb.addEventListener('disconnect', () => {
        if (this.#rfb === rfb) this.#rfb = null
      })
      rfb.addEventListener('connect', () => {
        clearTimeout(patience)
        this.#tries = 0
        this.#tell({ is: 'open', ticket })
      })
    })
    socket.addEventListener('close', ({ code, reason }) => {
      clearTimeout(patience)
      if (this.#closed || this.#socket !== socket) return
      const end = endOf(code)
      if (comesBack(end)) this.#later(end, reason)
      else this.#tell({ is: 'ended', end, sentence: reason })
    })
  }

  #later(end: End, sentence: string): void {
    if (this.#closed) return
    const wait = waitBefore(this.#tries++, Math.random())
    this.#tell({ is: 'waiting', at: Date.now() + wait, end, sentence })
    this.#timer = setTimeout(() => {
      this.connect()
    }, wait)
  }

  #tell(state: ScreenState): void {
    if (!this.#closed) this.onState(state, state.is === 'open' ? this.#rfb : null)
  }

  /** The last picture goes with it. */
  #drop(): void {
    const [rfb, socket] = [this.#rfb, this.#socket]
    this.#rfb = null
    this.#socket = null
    // noVNC closes the socket that it was given; one that it was not given yet is closed here.
    if (rfb) rfb.disconnect()
    else socket?.close()
  }
}
