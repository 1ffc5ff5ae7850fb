import type { SpiceConsole } from './machines.js'

/** Further keys of the file; `undefined` leaves a key to the viewer's own default. */
export interface ViewerFileOptions {
  readonly fullScreen?: boolean
  readonly usbAutoShare?: boolean
  /** For a file that lies on a disk: the viewer removes it as soon as it has read it. */
  readonly deleteThisFile?: boolean
}

/**
 * The connection file of remote-viewer(1), the wire form of `application/x-virt-viewer`: broker,
 * command line and thin client write the same one. Every channel uses TLS and is checked against
 * the CA and the subject. The password in it is a ticket for one connection. Pure.
 */
export function viewerFile(console: SpiceConsole, options: ViewerFileOptions = {}): string {
  const usb = console.usb ?? true
  const keys: ReadonlyArray<readonly [string, string | number | boolean | undefined]> = [
    ['type', 'spice'],
    ['host', console.host],
    ['tls-port', console.tlsPort],
    ['password', console.password],
    ['ca', console.ca],
    ['host-subject', console.hostSubject],
    ['title', console.title],
    ['secure-channels', 'all'],
    ['proxy', console.proxy],
    ['delete-this-file', options.deleteThisFile],
    ['fullscreen', options.fullScreen],
    ['enable-usbredir', usb],
    ['enable-usb-autoshare', usb ? options.usbAutoShare : false],
  ]
  return [
    '[virt-viewer]',
    ...keys.flatMap(([key, value]) =>
      value === undefined
        ? []
        : [`${key}=${escapeValue(typeof value === 'boolean' ? Number(value) : value)}`],
    ),
    '',
  ].join('\n')
}

/**
 * GLib's key files (docs.gtk.org/glib, "Key-value file parser") write these characters with a
 * backslash; other control characters have no place in them.
 */
function escapeValue(value: string | number): string {
  return String(value)
    .replaceAll('\\', '\\\\')
    .replaceAll('\r', '')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t')
    .replace(/^ /, '\\s')
    .replace(/[\u0000-\u001f\u007f]/g, '')
}
