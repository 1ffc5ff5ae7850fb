import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What of a host can be stalled or killed. `helper` is every Berth helper process, with its sudo. */
export type Service = 'libvirtd' | 'sshd' | 'helper'

const belongsTo: Record<Service, (command: string, line: string) => boolean> = {
  libvirtd: (command) => command === 'libvirtd',
  // The listener and, below it, two processes of each connection.
  sshd: (command) => command === 'sshd',
  helper: (_, line) => line.includes('berth-helper'),
}

/** The processes of a service in the process namespace of process `pid`, numbered as outside. */
export function processesOf(service: Service, pid: number): number[] {
  const namespace = namespaceOf(pid)
  return namespace === undefined
    ? []
    : processesIn(namespace).filter((candidate) => {
        const command = read(`/proc/${candidate}/comm`)?.trim()
        const line = read(`/proc/${candidate}/cmdline`)?.replaceAll('\0', ' ')
        return command !== undefined && line !== undefined && belongsTo[service](command, line)
      })
}

/** All processes of a namespace, given as `pid:[4026532281]`. */
export function processesIn(namespace: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => namespaceOf(pid) === namespace)
}

export function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return undefined
  }
}

/** Sends a signal. A process that is gone already is no fault. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
