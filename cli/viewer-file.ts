import type { SpiceConsole } from '../broker/api/machines.js'

/** The file that remote-viewer reads (virt-viewer's documentation, "connection file"). The password in it is a ticket for one connection. Pure. */
export function viewerFile (console: SpiceConsole, options: { readonly fullScreen: boolean }): string {
  const fields: ReadonlyArray<readonly [string, string]> = [
    ['type', 'spice'], ['host', console.host], ['tls-port', String(console.tlsPort)], ['password', console.password], ['ca', console.ca.trim().replaceAll('\r', '').replaceAll('\n', '\\n')],
    ['host-subject', console.hostSubject], ['title', console.title], ['fullscreen', options.fullScreen ? '1' : '0'], ['secure-channels', 'all'],
  ]
  return `[virt-viewer]\n${fields.map(([name, value]) => `${name}=${oneLine(value)}\n`).join('')}`
}

/** A line end would let a value begin a setting of its own. */
function oneLine (value: string): string {
  return value.replace(/[\u0000-\u001f\u007f]/g, '')
}
