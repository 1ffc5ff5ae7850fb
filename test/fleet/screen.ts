import { rmSync } from 'node:fs'
import { until } from '../support/until.js'
import { mustRun } from './command.js'
import { type Desk } from './desk.js'

/** A desk's monitor: an X server without hardware, with a window manager, so that --kiosk fills it. */
export type Screen = {
  /** Such as `:7701`, for DISPLAY. */
  display: string
  /** Photographs the whole screen as PNG. */
  screenshot(pngPath: string): Promise<void>
  stop(): Promise<void>
}

const startTimeoutMs = 15_000

/** Starts a screen at a desk. It ends with `stop()`, or with the desk. */
export async function startScreen(desk: Desk, { size = '1024x768' } = {}): Promise<Screen> {
  const display = `:${desk.screenNumber}`
  const socket = screenSocket(desk.screenNumber)
  rmSync(socket, { force: true })
  // Lock files name process numbers, which mean nothing from one desk to the next: -nolock.
  const server = desk.spawnInside([
    'Xvfb',
    display,
    '-screen',
    '0',
    `${size}x24`,
    '-nolisten',
    'tcp',
    '-nolock',
    '-noreset',
    '-ac',
  ])
  server.stdout.resume()
  server.stderr.resume()
  await until(async () => (await desk.run(['xprop', '-root', '-display', display])).code === 0, {
    withinMs: startTimeoutMs,
    what: `the X server of ${desk.name} answers at ${display}`,
  })
  const windows = desk.spawnInside(['matchbox-window-manager', '-use_titlebar', 'no'], {
    env: { DISPLAY: display },
  })
  windows.stdout.resume()
  windows.stderr.resume()
  const property = ['xprop', '-root', '-display', display, '_NET_SUPPORTING_WM_CHECK']
  await until(async () => (await desk.run(property)).stdout.includes('window id'), {
    withinMs: startTimeoutMs,
    what: `the window manager of ${desk.name} is up`,
  })
  return {
    display,
    screenshot: (pngPath) => screenshot(display, pngPath),
    async stop() {
      windows.kill('SIGKILL')
      server.kill('SIGKILL')
      await until(() => server.exitCode !== null || server.signalCode !== null, {
        withinMs: startTimeoutMs,
        what: `the X server at ${display} has ended`,
      })
      rmSync(socket, { force: true })
    },
  }
}

/** Photographs a display of this machine, a desk's included, as PNG. */
export async function screenshot(display: string, pngPath: string): Promise<void> {
  rmSync(pngPath, { force: true }) // an older picture must not be taken for this one
  await mustRun(['import', '-display', display, '-window', 'root', `png:${pngPath}`], {
    timeoutMs: 20_000,
  })
}

export function screenSocket(number: number): string {
  return `/tmp/.X11-unix/X${number}`
}
