import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { ProcessCommand } from './display.js'
import type { Log } from './log.js'
import { MARK_NAME, killMarked, signalProcess } from './marked-processes.js'
import {
  type ConnectionWatch,
  judgeConnection,
  readTcpTables,
  seeConnection,
} from './viewer-connection.js'
import type { ViewerCommand } from './viewers/command.js'

export interface ViewerEnd {
  readonly ok: boolean
  readonly ranMs: number
  readonly sentence: string
}
export interface RunningViewer {
  readonly ended: Promise<ViewerEnd>
  end: () => void
}

/** How long a viewer, or the X server around it, may take to end by itself. */
export const END_GRACE_MS = 8000
/** Often at first: a connection that is refused lasts a moment only. */
const FIRST_CONNECTION_CHECK_MS = 250
const CONNECTION_CHECK_MS = 2000
const MAX_LINE_LENGTH = 300
/** Past this a viewer's chatter is not logged any more; GTK can write the same warning at every frame. */
const MAX_LOGGED_LINES = 200

/** Starts a viewer and gives a handle at once. A program that cannot be started counts as ended. */
export function runViewer(viewer: ViewerCommand, command: ProcessCommand, log: Log): RunningViewer {
  const startedMs = performance.now()
  const mark = randomUUID()
  const child = spawn(command.program, [...command.args], {
    detached: command.ownSession,
    stdio: ['pipe', 'pipe', 'pipe', command.exitCodeOn3 ? 'pipe' : 'ignore'],
    env: { ...process.env, ...command.environment, [MARK_NAME]: mark },
  })
  const endIt = (): void => endProcess(child, command.ownSession, mark)
  let cause: string | undefined
  let wanted = false
  const end = (why: string): void => {
    cause ??= why
    endIt()
  }
  // A viewer that ends before it has read everything breaks the pipe; its end says enough.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(viewer.input ?? '')
  const lastLine = followOutput(child, viewer, log)
  const stopWatching = watchConnection(child, viewer, end)
  const ended = endOf(child, command.exitCodeOn3).then((outcome): ViewerEnd => {
    stopWatching()
    killMarked(mark)
    const ranMs = performance.now() - startedMs
    const failure = cause ?? (wanted ? undefined : outcome)
    return {
      ok: failure === undefined,
      ranMs,
      sentence: sentenceOfEnd(viewer.program, failure, ranMs, lastLine()),
    }
  })
  return {
    ended,
    end: () => {
      wanted = true
      endIt()
    },
  }
}

/** Gives why it failed, undefined when it ended with code 0. */
async function endOf(child: ChildProcess, exitCodeOn3: boolean): Promise<string | undefined> {
  let passedOn = ''
  child.stdio[3]?.on('data', (chunk: Buffer) => {
    passedOn += chunk.toString('utf8')
  })
  try {
    const [ownCode, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    if (exitCodeOn3 && passedOn === '') return 'was not shown: the display failed'
    const code = exitCodeOn3 ? Number(passedOn) : ownCode
    if (code === 0) return undefined
    return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`
  } catch (error) {
    return `could not be started: ${error instanceof Error ? error.message : String(error)}`
  }
}

function sentenceOfEnd(
  program: string,
  failure: string | undefined,
  ranMs: number,
  lastLine: string,
): string {
  if (failure === undefined) return 'The desktop was closed.'
  return (
    `${program} ${failure} after ${(ranMs / 1000).toFixed(1)} ` +
    `s${lastLine === '' ? '' : ` (${lastLine.slice(0, 120)})`}.`
  )
}

function endProcess(child: ChildProcess, leadsGroup: boolean, mark: string): void {
  const { pid } = child
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  signalProcess(leadsGroup ? -pid : pid, 'SIGTERM')
  const timer = setTimeout(() => killMarked(mark), END_GRACE_MS)
  child.once('exit', () => clearTimeout(timer))
}

function watchConnection(
  child: ChildProcess,
  viewer: ViewerCommand,
  end: (why: string) => void,
): () => void {
  const { pid } = child
  const expected = viewer.expectConnection
  if (pid === undefined || expected === undefined) return () => undefined
  let watch: ConnectionWatch = { met: false, lastMs: performance.now() }
  let timer: NodeJS.Timeout
  const look = (): void => {
    const tables = readTcpTables(pid)
    const judged =
      tables.length === 0
        ? watch
        : judgeConnection(watch, seeConnection(expected.port, tables), expected, performance.now())
    if (typeof judged === 'string') {
      end(judged)
      return
    }
    watch = judged
    timer = setTimeout(look, watch.met ? CONNECTION_CHECK_MS : FIRST_CONNECTION_CHECK_MS)
  }
  timer = setTimeout(look, FIRST_CONNECTION_CHECK_MS)
  return () => clearTimeout(timer)
}

function followOutput(child: ChildProcess, viewer: ViewerCommand, log: Log): () => string {
  let lastLine = ''
  let lines = 0
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = `${rest}${chunk}`.split('\n')
      rest = (parts.pop() ?? '').slice(-MAX_LINE_LENGTH)
      for (const part of parts.filter((line) => line.trim() !== '')) {
        const line = viewer.secrets
          .reduce((text, secret) => (secret === '' ? text : text.replaceAll(secret, '***')), part)
          .slice(0, MAX_LINE_LENGTH)
        lastLine = line.trim()
        if (++lines <= MAX_LOGGED_LINES) log('debug', `${viewer.program}: ${line}`)
      }
    })
  }
  return () => lastLine
}
