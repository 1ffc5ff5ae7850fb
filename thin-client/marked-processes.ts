import { readFileSync, readdirSync } from 'node:fs'

/** Inherited by everything that a viewer starts, whatever process group or session it moves to. */
export const MARK_NAME = 'BERTH_VIEWER'

/** Whether a /proc/PID/environ text (proc(5): NUL after each variable) has this mark. */
export function hasMark(environ: string, mark: string): boolean {
  return environ.split('\0').includes(`${MARK_NAME}=${mark}`)
}

/**
 * Kills what a viewer left behind when it ended: xinit puts its children into process groups of
 * their own, and may die before them.
 */
export function killMarked(mark: string): void {
  for (const entry of readdirSync('/proc')) {
    if (/^\d+$/.test(entry) && hasMark(environOf(entry), mark))
      signalProcess(Number(entry), 'SIGKILL')
  }
}

/** Signals a process, or with a negative number a process group; one that is gone is no fault. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Empty for processes of others, which cannot be ours. */
function environOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return ''
  }
}
