import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { signal } from './processes.js'

/**
 * Namespaces that live and die together: `pid` is the first process in them. When it
 * dies, and it dies with this process, the kernel kills all others in them and takes
 * mounts and network cards away.
 */
export type Namespace = {
  pid: number
  /** Tells the first process that its network is there, and waits until it is up. */
  start(): Promise<void>
  /** Kills everything inside, as a power cut would, and waits until it is gone. */
  destroy(): Promise<void>
}

const startTimeoutMs = 30_000

/** Starts `argv` as the first process of new namespaces; what it says on standard error goes to `logFile`. */
export async function createNamespace(
  argv: string[],
  options: { flags: string[]; logFile: string },
): Promise<Namespace> {
  // The chain of death: this process -> unshare (by setpriv) -> the first process (by --kill-child) -> all inside.
  const chain = [
    '--pdeathsig',
    'KILL',
    'unshare',
    ...options.flags,
    '--fork',
    '--kill-child',
    '--propagation',
    'private',
    '--',
    ...argv,
  ]
  // Detached: an interrupt typed at a terminal must reach the owner only.
  const child = spawn('setpriv', chain, { stdio: 'pipe', detached: true })
  child.stderr.pipe(createWriteStream(options.logFile, { flags: 'a' }))
  child.stdin.on('error', () => undefined)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const said = (word: string) => nextLine(child, lines, word, options.logFile)
  const pid = Number((await said('pid ')).slice('pid '.length))
  return {
    pid,
    async start() {
      child.stdin.write('go\n')
      await said('up')
    },
    async destroy() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      signal(pid, 'SIGKILL')
      // unshare ends when the namespace's first process has been collected, all others before it.
      await gone
    },
  }
}

/** Connects a new namespace and brings it up; one that cannot be is destroyed. */
export async function withNetwork(namespace: Namespace, plug: () => Promise<void>): Promise<void> {
  try {
    await plug()
    await namespace.start()
  } catch (error) {
    await namespace.destroy()
    throw error
  }
}

async function nextLine(
  child: ChildProcessWithoutNullStreams,
  lines: AsyncIterator<string>,
  word: string,
  logFile: string,
): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no "${word.trim()}" within ${startTimeoutMs} ms; see ${logFile}`)),
      startTimeoutMs,
    )
  })
  try {
    const { value, done } = await Promise.race([lines.next(), late])
    if (!done && value.startsWith(word)) return value
    throw new Error(`it did not start: ${readFileSync(logFile, 'utf8').trim() || String(value)}`)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    clearTimeout(timer)
  }
}
