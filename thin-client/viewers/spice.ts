import type { ViewerOptions } from '../../broker/api/thin-clients.js'
import type { SpiceConsole } from '../../broker/api/machines.js'
import type { ViewerCommand } from './command.js'

/** A ticket that has run out opens nothing: a viewer that has not connected by then never will. Slow devices get at least this long. */
const MIN_FIRST_CONNECTION_MS = 20_000

/** The connection file of remote-viewer(1), for its standard input. Each channel uses TLS and is checked against the CA and the subject. */
export function connectionFile (console: SpiceConsole, options: ViewerOptions): string {
  const keys: Array<[string, string | number]> = [
    ['type', 'spice'], ['host', console.host], ['tls-port', console.tlsPort], ['password', console.password], ['ca', console.ca],
    ['host-subject', console.hostSubject], ['title', console.title], ['secure-channels', 'all'], ['delete-this-file', 0],
    ['fullscreen', options.fullScreen ? 1 : 0], ['enable-usbredir', 1], ['enable-usb-autoshare', options.usbAutoShare ? 1 : 0],
  ]
  return ['[virt-viewer]', ...keys.map(([key, value]) => `${key}=${escapeKeyFileValue(String(value))}`), ''].join('\n')
}

/** GLib's key files (docs.gtk.org/glib, "Key-value file parser") write these characters with a backslash. */
function escapeKeyFileValue (value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\r', '').replaceAll('\n', '\\n').replaceAll('\t', '\\t').replace(/^ /, '\\s')
}

/**
 * With a full screen remote-viewer is a kiosk, on every monitor that the display has. Without, its window can be moved; closed, the device asks again.
 * The kiosk needs a window manager (or cage) to fill the screen.
 */
export function spiceCommand (console: SpiceConsole, options: ViewerOptions): ViewerCommand {
  const args = [
    ...(options.fullScreen ? ['--kiosk', '--kiosk-quit=on-disconnect', '--full-screen'] : []),
    ...(options.audio ? [] : ['--spice-disable-audio']),
    '-',
  ]
  return { program: 'remote-viewer', args, input: connectionFile(console, options), secrets: [console.password], expectConnection: { port: console.tlsPort, firstWithinMs: Math.max(MIN_FIRST_CONNECTION_MS, console.ticketSeconds * 1000) } }
}
