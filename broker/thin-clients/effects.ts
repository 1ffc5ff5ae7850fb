import type { DeviceEffect } from '../api/thin-clients.js'
import type { ClientsFile, Target } from './clients-xml.js'
import { entryFor, type Seeker } from './match.js'

/** A device that was seen; `own`: what the administrator gave to itself, which goes before the file. */
export interface SeenSeeker extends Seeker {
  readonly id: string
  readonly mac: string
  readonly own: readonly Target[]
}

/** The devices that get something else by one file than by the other. */
export function effectsOf(
  devices: readonly SeenSeeker[],
  now: ClientsFile,
  then: ClientsFile,
): DeviceEffect[] {
  return devices.flatMap((device) => {
    const [before, after] = [entryFor(now, device), entryFor(then, device)]
    const [has, gets] = [before, after].map((entry) =>
      [...device.own, ...(entry?.targets ?? [])].map(inWords),
    ) as [string[], string[]]
    const targets = has.join('\n') !== gets.join('\n')
    const viewer =
      gets.length > 0 && JSON.stringify(before?.viewer) !== JSON.stringify(after?.viewer)
    return targets || viewer
      ? [
          {
            id: device.id,
            mac: device.mac,
            hostname: device.hostname,
            now: has,
            then: gets,
            viewer: !targets,
          },
        ]
      : []
  })
}

/** `pc-07`, `RDP ts.example.org`, `pool lab`. */
export function inWords(target: Target): string {
  switch (target.protocol) {
    case 'spice':
      return target.machine
    case 'rdp':
      return `RDP ${target.address}`
    case 'horizon':
      return `vmView ${target.desktopPool}`
    case 'pool':
      return `pool ${target.pool}`
    case 'login':
      return target.pools.length === 0 ? 'LOGIN' : `LOGIN (${target.pools.join(', ')})`
  }
}
