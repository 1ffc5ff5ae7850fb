import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ProcessCommand } from './display.js'
import type { Log } from './log.js'
import { killSession, signalProcess } from './process-session.js'
import { hasConnectionTo, readTcpTables } from './viewer-connection.js'
import type { ViewerCommand } from './viewers/command.js'

export interface ViewerEnd { readonly ok: boolean, readonly ranMs: number, readonly sentence: string }
export interface RunningViewer { readonly ended: Promise<ViewerEnd>, end: () => void }

/** How long a viewer, or the X server around it, may take to end by itself. */
export const END_GRACE_MS = 8000
/** How long a viewer may be without a connection to its desktop: remote-viewer shows a dialog that nobody can answer in a kiosk. */
export const CONNECTION_GRACE_MS = 10_000
const CONNECTION_CHECK_MS = 2000
const MAX_LINE_LENGTH = 300
/** Past this a viewer's chatter is not logged any more; GTK can write the same warning at every frame. */
const MAX_LOGGED_LINES = 200

/** Starts a viewer in a POSIX session of its own and gives a handle at once. A program that cannot be started counts as ended. */
export function runViewer (viewer: ViewerCommand, command: ProcessCommand, log: Log, connectionGraceMs = CONNECTION_GRACE_MS): RunningViewer {
  const startedMs = performance.now()
  const child = spawn(command.program, [...command.args], { detached: true, stdio: ['pipe', 'pipe', 'pipe', command.exitCodeOn3 ? 'pipe' : 'ignore'], env: { ...process.env, ...command.environment } })
  let cause: string | undefined
  let wanted = false
  const end = (why: string): void => {
    cause ??= why
    endGroup(child)
  }
  // A viewer that ends before it has read everything breaks the pipe; its end says enough.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(viewer.input ?? '')
  const lastLine = followOutput(child, viewer, log)
  const stopWatching = watchConnection(child, viewer, connectionGraceMs, end)
  const ended = endOf(child, command.exitCodeOn3).then((outcome): ViewerEnd => {
    stopWatching()
    if (child.pid !== undefined) killSession(child.pid)
    const ranMs = performance.now() - startedMs
    const failure = cause ?? (wanted ? undefined : outcome)
    return { ok: failure === undefined, ranMs, sentence: sentenceOfEnd(viewer.program, failure, ranMs, lastLine()) }
  })
  return {
    ended,
    end: () => {
      wanted = true
      endGroup(child)
    },
  }
}

/** Gives why it failed, undefined when it ended with code 0. */
async function endOf (child: ChildProcess, exitCodeOn3: boolean): Promise<string | undefined> {
  let passedOn = ''
  child.stdio[3]?.on('data', (chunk: Buffer) => { passedOn += chunk.toString('utf8') })
  try {
    const [ownCode, signal] = await once(child, 'close') as [number | null, NodeJS.Signals | null]
    if (exitCodeOn3 && passedOn === '') return 'was not shown: the display failed'
    const code = exitCodeOn3 ? Number(passedOn) : ownCode
    if (code === 0) return undefined
    return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`
  } catch (error) {
    return `could not be started: ${error instanceof Error ? error.message : String(error)}`
  }
}

function sentenceOfEnd (program: string, failure: string | undefined, ranMs: number, lastLine: string): string {
  if (failure === undefined) return 'The desktop was closed.'
  return `${program} ${failure} after ${(ranMs / 1000).toFixed(1)} s${lastLine === '' ? '' : ` (${lastLine.slice(0, 120)})`}.`
}

function endGroup (child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  signalProcess(-pid, 'SIGTERM')
  const timer = setTimeout(() => killSession(pid), END_GRACE_MS)
  child.once('exit', () => clearTimeout(timer))
}

function watchConnection (child: ChildProcess, viewer: ViewerCommand, graceMs: number, end: (why: string) => void): () => void {
  const { pid } = child
  const port = viewer.expectConnectionTo
  if (pid === undefined || port === undefined) return () => undefined
  let lastSeenMs = performance.now()
  const timer = setInterval(() => {
    const tables = readTcpTables(pid)
    if (tables.length === 0 || hasConnectionTo(port, tables)) lastSeenMs = performance.now()
    else if (performance.now() - lastSeenMs > graceMs) end(`had no connection to the desktop (port ${port}) for ${graceMs / 1000} s and was ended`)
  }, Math.min(CONNECTION_CHECK_MS, graceMs / 2))
  return () => clearInterval(timer)
}

function followOutput (child: ChildProcess, viewer: ViewerCommand, log: Log): () => string {
  let lastLine = ''
  let lines = 0
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = `${rest}${chunk}`.split('\n')
      rest = (parts.pop() ?? '').slice(-MAX_LINE_LENGTH)
      for (const part of parts.filter(line => line.trim() !== '')) {
        const line = viewer.secrets.reduce((text, secret) => secret === '' ? text : text.replaceAll(secret, '***'), part).slice(0, MAX_LINE_LENGTH)
        lastLine = line.trim()
        if (++lines <= MAX_LOGGED_LINES) log('debug', `${viewer.program}: ${line}`)
      }
    })
  }
  return () => lastLine
}
