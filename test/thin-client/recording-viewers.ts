import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { until } from '../support/until.js'

/**
 * A stand-in for a viewer: notes its arguments (one a line), its standard input, its display, and
 * the command lines of every process that is there while it runs; then does what the file
 * `behaviour` says (a line of shell), or waits to be ended. Each run counts one line in `runs`.
 */
const SCRIPT = `#!/bin/bash
here=$(dirname -- "$(dirname -- "$0")")
name=$(basename -- "$0")
printf '%s\\n' "$@" >"$here/$name.args"
cat >"$here/$name.input"
printf '%s' "\${DISPLAY-}" >"$here/$name.display"
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >"$here/$name.processes"
printf '%s' "$$" >"$here/$name.pid"
echo run >>"$here/$name.runs"
if [ -f "$here/behaviour" ]; then . "$here/behaviour"; fi
exec sleep 600
`

export interface RecordingViewers {
  /** PATH with the stand-ins first. */
  readonly path: string
  readonly behave: (shell: string) => void
  readonly runs: (name: string) => number
  /** Waits for run number `count` and gives what was noted. */
  readonly recorded: (name: string, count?: number) => Promise<Recording>
}
export interface Recording {
  readonly args: string[]
  readonly input: string
  readonly display: string
  readonly processes: string
  readonly pid: number
}

export function recordingViewers(
  directory: string,
  names: readonly string[] = ['remote-viewer', 'xfreerdp', 'vmware-view'],
): RecordingViewers {
  const programs = join(directory, 'bin')
  mkdirSync(programs, { recursive: true })
  for (const name of names) {
    writeFileSync(join(programs, name), SCRIPT)
    chmodSync(join(programs, name), 0o755)
  }
  const read = (name: string, what: string): string =>
    readFileSync(join(directory, `${name}.${what}`), 'utf8')
  const runs = (name: string): number =>
    existsSync(join(directory, `${name}.runs`)) ? read(name, 'runs').split('\n').length - 1 : 0
  return {
    path: `${programs}${delimiter}${process.env.PATH ?? ''}`,
    behave: (shell) => writeFileSync(join(directory, 'behaviour'), shell),
    runs,
    recorded: async (name, count = 1) => {
      await until(() => runs(name) >= count, { withinMs: 10_000, what: `run ${count} of ${name}` })
      return {
        args: read(name, 'args').trimEnd().split('\n'),
        input: read(name, 'input'),
        display: read(name, 'display'),
        processes: read(name, 'processes'),
        pid: Number(read(name, 'pid')),
      }
    },
  }
}

/** Whether a process is there and is not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
