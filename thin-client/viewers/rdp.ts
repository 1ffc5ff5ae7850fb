import type { Console, ViewerOptions } from '../../broker/api/thin-clients.js'
import type { ViewerCommand } from './viewer-command.js'

type RdpConsole = Extract<Console, { protocol: 'rdp' }>

/**
 * xfreerdp (FreeRDP 2) shows the login screen of the host. The host's certificate is kept at first
 * use and a later change refused (`/cert:tofu`). No password is ever passed: the person types name
 * and password on the host's own login screen, where an empty `/u:` keeps the name of the agent's
 * own user out. `more`: arguments from the settings, put last so that they win.
 */
export function rdpCommand(
  console: RdpConsole,
  options: ViewerOptions,
  more: readonly string[],
): ViewerCommand {
  const args = [
    `/v:${console.address}`,
    '/u:',
    '/cert:tofu',
    `/t:${console.title}`,
    '/log-level:WARN',
    console.clipboard === false ? '-clipboard' : '+clipboard',
    ...(options.resolution === null ? [] : [`/size:${options.resolution}`]),
    ...(options.fullScreen ? ['/f'] : []),
    ...(options.multiMonitor ? ['/multimon'] : []),
    ...(options.usbAutoShare && console.drives !== false ? ['/drive:hotplug,*'] : []),
    ...(options.audio ? ['/sound'] : []),
    ...more,
  ]
  return { program: 'xfreerdp', args, input: undefined, secrets: [], expectConnection: undefined }
}
