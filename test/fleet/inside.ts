import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { runCommand, type CommandResult } from './command.js'

export type InsideOptions = {
  env?: Record<string, string>
  /** Working directory, as seen from inside; else the root. */
  cwd?: string
}
export type RunOptions = InsideOptions & {
  input?: string | Buffer
  /** The program is killed after this time, and the promise rejects. */
  timeoutMs?: number
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Runs a program to its end, as root, in the namespaces of process `pid`. Its environment is clean but for `env`. */
export function runInside(
  pid: number,
  argv: string[],
  options: RunOptions = {},
): Promise<CommandResult> {
  const { input, timeoutMs } = options
  return runCommand(insideArgv(pid, argv, options), {
    ...(input === undefined ? {} : { input }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })
}

/** Starts a program inside. `kill(signal)` of what it gives signals the program itself, not the nsenter around it. */
export function spawnInside(
  pid: number,
  argv: string[],
  options: InsideOptions = {},
): ChildProcessWithoutNullStreams {
  const [program = '', ...rest] = insideArgv(pid, argv, options)
  // Detached: an interrupt typed at a terminal must reach the owner only.
  const child = spawn(program, rest, { stdio: 'pipe', detached: true })
  const killOuter = child.kill.bind(child)
  child.kill = (signal) => {
    const inner = child.pid === undefined ? undefined : firstChildOf(child.pid)
    return inner === undefined ? killOuter(signal) : process.kill(inner, signal ?? 'SIGTERM')
  }
  return child
}

/**
 * nsenter forks the program into the process namespace; each of the two setprivs ties one of them
 * to its parent's life.
 */
function insideArgv(pid: number, argv: string[], { env = {}, cwd }: InsideOptions): string[] {
  const variables = { PATH: path, HOME: '/root', LANG: 'C.UTF-8', ...env }
  const dieWithParent = ['setpriv', '--pdeathsig', 'KILL', '--']
  return [
    ...dieWithParent,
    ...[
      'nsenter',
      '--target',
      String(pid),
      '--all',
      ...(cwd === undefined ? [] : [`--wdns=${cwd}`]),
      '--',
    ],
    ...['env', '-i', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)],
    ...dieWithParent,
    ...argv,
  ]
}

function firstChildOf(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
    return first ? Number(first) : undefined
  } catch {
    return undefined
  }
}
