import type { ViewerOptions } from '../../broker/api/thin-clients.js'
import type { SpiceConsole } from '../../broker/api/machines.js'
import { viewerFile } from '../../broker/api/viewer-file.js'
import type { ViewerCommand } from './viewer-command.js'

/**
 * A ticket that has run out opens nothing: a viewer that has not connected by then never will. Slow
 * devices get at least this long.
 */
const MIN_FIRST_CONNECTION_MS = 20_000

/**
 * With a full screen remote-viewer is a kiosk, on every monitor that the display has. Without, its
 * window can be moved; closed, the device asks again. The kiosk needs a window manager (or cage) to
 * fill the screen.
 */
export function spiceCommand(console: SpiceConsole, options: ViewerOptions): ViewerCommand {
  const args = [
    ...(options.fullScreen ? ['--kiosk', '--kiosk-quit=on-disconnect', '--full-screen'] : []),
    ...(options.audio ? [] : ['--spice-disable-audio']),
    '-',
  ]
  return {
    program: 'remote-viewer',
    args,
    input: viewerFile(console, {
      fullScreen: options.fullScreen,
      usbAutoShare: options.usbAutoShare,
    }),
    secrets: [console.password, ...(console.proxy === undefined ? [] : [console.host])],
    expectConnection: {
      port: portOf(console),
      firstWithinMs: Math.max(MIN_FIRST_CONNECTION_MS, console.ticketSeconds * 1000),
    },
  }
}

/** Where the viewer connects: the display's port, or the proxy's. */
function portOf(console: SpiceConsole): number {
  return console.proxy === undefined ? console.tlsPort : Number(new URL(console.proxy).port || 80)
}
