import { readFileSync } from 'node:fs'

/** proc(5), /proc/net/tcp: the state field of an established connection. */
const ESTABLISHED = '01'

/** Whether a table such as /proc/net/tcp has an established connection whose far end is this port. */
export function hasConnectionTo (port: number, tables: readonly string[]): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return tables.some(table => table.split('\n').some(line => {
    const [, , far, state] = line.trim().split(/\s+/)
    return state === ESTABLISHED && far !== undefined && far.endsWith(suffix)
  }))
}

/** The TCP tables of the network namespace that a process is in; empty when they cannot be read. */
export function readTcpTables (pid: number): string[] {
  return ['tcp', 'tcp6'].flatMap(name => {
    try {
      return [readFileSync(`/proc/${pid}/net/${name}`, 'utf8')]
    } catch {
      return []
    }
  })
}
