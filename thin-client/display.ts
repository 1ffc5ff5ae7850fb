import type { ViewerOptions } from '../broker/api/thin-clients.js'
import { boundTo } from './programs.js'
import type { WantedDisplay } from './settings.js'
import type { ViewerCommand } from './viewers/command.js'
import { X_SESSION } from './x-session.js'

export type DisplayMode = Exclude<WantedDisplay, 'auto'>
/** Gives the path of a program, undefined when the device lacks it. */
export type FindProgram = (name: string) => string | undefined

/** A program that this device lacks; the message is a sentence for the screen. */
export class MissingProgram extends Error {
  override readonly name = 'MissingProgram'
}

/** What to start: no shell, `input` on standard input. */
export interface ProcessCommand {
  readonly program: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** The exit code of the viewer comes as a line on file descriptor 3; nothing there means that the display failed. */
  readonly exitCodeOn3: boolean
  /**
   * Leads a POSIX session of its own. Not the X server: the kernel lets only a process of the
   * terminal's own session switch to that terminal (ioctl_console(2), VT_ACTIVATE), root aside.
   */
  readonly ownSession: boolean
}

export interface XServerPlace {
  /** Such as `:0`. */
  readonly display: string
  /** The number of the virtual terminal to open on; undefined leaves it to the server. */
  readonly vt: number | undefined
  readonly authorityFile: string
  readonly command: readonly string[] | undefined
}

/** cage 0.1.4 ends with 0 whatever its client did, so the code takes the same way as under xinit. */
const WAYLAND_SESSION = 'code=0; "$@" 3>&- || code=$?; echo "$code" >&3'

/**
 * wlroots draws with the CPU, as the viewers do: its GLES renderer brings cage down on cards
 * without 3D (seen on virtio-vga in Debian 12).
 */
const WAYLAND_ENVIRONMENT = { WLR_RENDERER: 'pixman' }

export const DEFAULT_X_SERVER_COMMAND = [
  'Xorg',
  '{display}',
  '{vt}',
  '-nolisten',
  'tcp',
  '-keeptty',
] as const

/**
 * A display that is there is used; else an own X server, which knows resolutions and all viewers;
 * else Wayland. Throws MissingProgram.
 */
export function chooseDisplay(
  wanted: WantedDisplay,
  environment: NodeJS.ProcessEnv,
  find: FindProgram,
): DisplayMode {
  const present = Boolean(environment.DISPLAY) || Boolean(environment.WAYLAND_DISPLAY)
  if (wanted === 'existing' && !present)
    throw new MissingProgram('There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set.')
  if (wanted !== 'auto') return wanted
  if (present) return 'existing'
  if (find('xinit') !== undefined) return 'x'
  if (find('cage') !== undefined) return 'wayland'
  throw new MissingProgram('There is no display: install xinit and an X server, or cage.')
}

/** The process that shows a viewer in a display. Throws MissingProgram. `xServer` is needed by the mode `x` only. */
export function placeViewer(
  viewer: ViewerCommand,
  mode: DisplayMode,
  options: ViewerOptions,
  find: FindProgram,
  xServer: XServerPlace | undefined,
): ProcessCommand {
  const words = [need(viewer.program, find), ...viewer.args] as const
  switch (mode) {
    case 'existing': {
      const [program, ...args] = words
      return bound({ program, args, environment: {}, exitCodeOn3: false, ownSession: true }, find)
    }
    case 'wayland':
      return bound(inCage(words, find), find)
    case 'x':
      if (xServer === undefined) throw new MissingProgram('There is no place for an X server.')
      return bound(inXServer(words, options, xServer, find), find)
  }
}

/**
 * cage always spreads over all monitors: its `-m last` (one monitor only) crashes in Debian 12
 * (cage 0.1.4, seen with remote-viewer).
 */
function inCage(viewer: readonly string[], find: FindProgram): ProcessCommand {
  const session = ['/bin/sh', '-c', WAYLAND_SESSION, 'berth-wayland-session', ...viewer]
  return {
    program: need('cage', find),
    args: ['--', ...session],
    environment: WAYLAND_ENVIRONMENT,
    exitCodeOn3: true,
    ownSession: true,
  }
}

function inXServer(
  viewer: readonly string[],
  options: ViewerOptions,
  xServer: XServerPlace,
  find: FindProgram,
): ProcessCommand {
  const session = [
    '/bin/sh',
    '-c',
    X_SESSION,
    'berth-x-session',
    options.resolution ?? '-',
    options.multiMonitor ? 'all' : 'one',
    ...viewer,
  ]
  return {
    program: need('xinit', find),
    args: [...session, '--', ...xServerWords(xServer, find)],
    environment: { XAUTHORITY: xServer.authorityFile },
    exitCodeOn3: true,
    ownSession: false,
  }
}

function xServerWords(place: XServerPlace, find: FindProgram): string[] {
  const vt = place.vt === undefined ? '' : `vt${place.vt}`
  const [server = 'Xorg', ...args] = place.command ?? DEFAULT_X_SERVER_COMMAND
  const filled = args
    .map((word) => word.replaceAll('{display}', place.display).replaceAll('{vt}', vt))
    .filter((word) => word !== '')
  return [need(server, find), ...filled, '-auth', place.authorityFile]
}

function need(program: string, find: FindProgram): string {
  const path = find(program)
  if (path === undefined)
    throw new MissingProgram(
      `This device cannot show the desktop: the program ${program} is not installed.`,
    )
  return path
}

/** Ends with the agent: otherwise its successor would find the screen taken. */
function bound(command: ProcessCommand, find: FindProgram): ProcessCommand {
  const [program, ...args] = boundTo(find, [command.program, ...command.args])
  return { ...command, program, args }
}
