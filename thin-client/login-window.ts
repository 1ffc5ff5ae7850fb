import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { FindProgram } from './display.js'
import type { Log } from './log.js'
import { boundTo } from './programs.js'

export interface LoginWindow {
  readonly write: (text: string) => void
  readonly close: () => void
}

export interface WindowPlace {
  readonly environment: NodeJS.ProcessEnv
  readonly find: FindProgram
  readonly directory: string
  readonly log: Log
}

/** A font that scales; X's own are tiny on a large screen. `+sb`: no scroll bar. */
export const XTERM_LOOK = [
  '-fa',
  'DejaVu Sans Mono',
  '-fs',
  '14',
  '-bg',
  'black',
  '-fg',
  'white',
  '+sb',
] as const

/**
 * A terminal on the X display that is there, for people who log in. In it this program runs once
 * more and carries keys and text over a socket in a directory that only the agent's user may enter.
 * Gives undefined where there is no X display or no xterm.
 */
export function openLoginWindow(
  place: WindowPlace,
  onKeys: (text: string) => void,
  onGone: () => void,
): LoginWindow | undefined {
  const xterm = place.find('xterm')
  if (!place.environment.DISPLAY || xterm === undefined) return undefined
  mkdirSync(place.directory, { recursive: true, mode: 0o700 })
  const path = join(place.directory, 'login-window')
  rmSync(path, { force: true })
  let child: ChildProcess | undefined
  let inside: Socket | undefined
  let page = ''
  const server: Server = createServer((socket) => {
    if (inside !== undefined) {
      socket.destroy()
      return
    }
    inside = socket
    carryKeys(socket, onKeys)
    socket.write(page)
  })
  const close = (): void => {
    server.close()
    inside?.destroy()
    child?.kill('SIGTERM')
  }
  server.on('error', (error) =>
    place.log('warning', `The login window has no socket: ${error.message}.`),
  )
  server.listen(path, () => {
    child = startTerminal(place, xterm, path)
    child.once('close', () => {
      close()
      onGone()
    })
  })
  return {
    write: (text) => {
      page = text
      inside?.write(text)
    },
    close,
  }
}

function carryKeys(socket: Socket, onKeys: (text: string) => void): void {
  socket
    .setEncoding('utf8')
    .on('data', (text: Buffer | string) => onKeys(String(text)))
    .on('error', () => undefined)
}

/** This program once more, in an xterm, on the other end of the socket. */
function startTerminal(place: WindowPlace, xterm: string, socketPath: string): ChildProcess {
  const [program, ...args] = boundTo(place.find, [
    xterm,
    ...XTERM_LOOK,
    '-T',
    'Berth',
    '-e',
    process.execPath,
    process.argv[1] ?? '',
    '--terminal',
    socketPath,
  ])
  const child = spawn(program, args, { stdio: 'ignore', env: place.environment })
  child.on('error', (error) =>
    place.log('warning', `The login window cannot be opened: ${error.message}.`),
  )
  return child
}
