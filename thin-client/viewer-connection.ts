import { readFileSync } from 'node:fs'

/**
 * A viewer that shows a dialog instead of ending when it cannot connect must hold a connection to
 * this port, the first one soon enough for its ticket.
 */
export interface ExpectedConnection {
  readonly port: number
  readonly firstWithinMs: number
}

/** What a look at the kernel's tables shows of connections to a port. over: there was one, which is being closed. */
export type ConnectionSight = 'open' | 'over' | 'none'
export interface ConnectionWatch {
  readonly met: boolean
  readonly lastMs: number
}

/** How long a viewer may be without a connection once it had one. */
export const LOST_GRACE_MS = 10_000
/** proc(5), include/net/tcp_states.h: established, SYN sent, SYN received. */
const OPEN_STATES = ['01', '02', '03']

/** Reads tables such as /proc/net/tcp for connections whose far end is this port. */
export function seeConnection(port: number, tables: readonly string[]): ConnectionSight {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const states = tables.flatMap((table) =>
    table.split('\n').flatMap((line) => {
      const [, , far, state] = line.trim().split(/\s+/)
      return far !== undefined && state !== undefined && far.endsWith(suffix) ? [state] : []
    }),
  )
  return states.some((state) => OPEN_STATES.includes(state))
    ? 'open'
    : states.length > 0
      ? 'over'
      : 'none'
}

/**
 * Decides whether a viewer still counts as connected: gives the watch with this sight in it, or why
 * the viewer must be ended. Times in ms of one clock.
 */
export function judgeConnection(
  watch: ConnectionWatch,
  sight: ConnectionSight,
  expected: ExpectedConnection,
  nowMs: number,
): ConnectionWatch | string {
  if (sight === 'open' || (sight === 'over' && !watch.met)) return { met: true, lastMs: nowMs }
  const limitMs = watch.met ? LOST_GRACE_MS : expected.firstWithinMs
  if (nowMs - watch.lastMs <= limitMs) return watch
  return `had no connection to the desktop (port ${expected.port}) for ${Math.round(limitMs / 1000)} s and was ended`
}

/** The TCP tables of the network namespace that a process is in; empty when they cannot be read. */
export function readTcpTables(pid: number): string[] {
  return ['tcp', 'tcp6'].flatMap((name) => {
    try {
      return [readFileSync(`/proc/${pid}/net/${name}`, 'utf8')]
    } catch {
      return []
    }
  })
}
