import { readFileSync, readdirSync } from 'node:fs'

/** The POSIX session in a /proc/PID/stat text; the name before it is in brackets and may hold anything (proc(5)). */
export function sessionOfStat (stat: string): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[3] === undefined ? undefined : Number(fields[3])
}

/** Kills what is left in the session of a viewer that has ended: xinit puts its children into process groups of their own. */
export function killSession (session: number): void {
  for (const entry of readdirSync('/proc')) {
    if (/^\d+$/.test(entry) && sessionOf(entry) === session) signalProcess(Number(entry), 'SIGKILL')
  }
}

/** Signals a process, or with a negative number a process group; one that is gone is no fault. */
export function signalProcess (pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

function sessionOf (pid: string): number | undefined {
  try {
    return sessionOfStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return undefined
  }
}
