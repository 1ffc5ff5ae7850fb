import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from '../support/broker-process.js'
import { until } from '../support/until.js'

/** Makes the bundle again and gives its path: what is tested is the file that is installed. */
export async function bundleAgent(directory: string): Promise<string> {
  const { stdout } = await promisify(execFile)(join(ROOT, 'thin-client/bundle'), [
    join(directory, 'berth-thin-client.mjs'),
  ])
  return stdout.trim()
}

export interface AgentUnderTest {
  readonly pid: number
  /** What it wrote so far: the screen on standard output, the log on standard error. */
  readonly screen: () => string
  readonly log: () => string
  /** Waits for a text on the screen or in the log. */
  readonly says: (text: string | RegExp, withinMs?: number) => Promise<void>
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** Ends it as systemd would and gives how it ended. */
  readonly stop: () => Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/**
 * Starts the bundled agent as a process of its own. `environment` replaces the whole environment
 * but PATH. `prefix`: a command that runs the rest.
 */
export function startAgent(
  bundle: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  prefix: readonly string[] = [],
): AgentUnderTest {
  // The test runner's own NODE_OPTIONS would change what is tested.
  const [program = 'env', ...words] = [
    ...prefix,
    'env',
    '-u',
    'NODE_OPTIONS',
    process.execPath,
    bundle,
    ...args,
  ]
  const child = spawn(program, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', ...environment },
  })
  let screen = ''
  let log = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  const found = (text: string | RegExp): boolean =>
    typeof text === 'string' ? (screen + log).includes(text) : text.test(screen + log)
  return {
    pid: child.pid ?? 0,
    screen: () => screen,
    log: () => log,
    says: async (text, withinMs = 10_000) => {
      await until(() => found(text), { withinMs, what: `the agent says ${text}` }).catch(
        (error: unknown) => {
          throw new Error(`The agent did not say ${text}; it said: ${screen}${log}`, {
            cause: error,
          })
        },
      )
    },
    ended,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      return await ended
    },
  }
}
