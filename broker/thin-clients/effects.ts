import type { DeviceEffect } from '../api/clients-xml.js'
import { Turn } from '../turn.js'
import type { Target } from './clients-entry.js'
import type { ClientsFile } from './clients-xml.js'
import { entryFor, type Seeker } from './match.js'

/** A device that was seen; `own`: what the administrator gave to itself, which goes before the file. */
export interface SeenSeeker extends Seeker {
  readonly id: string
  readonly mac: string
  readonly own: readonly Target[]
}

/** The devices that get something else by one file than by the other. */
export async function effectsOf(
  devices: readonly SeenSeeker[],
  now: ClientsFile,
  then: ClientsFile,
): Promise<DeviceEffect[]> {
  const effects: DeviceEffect[] = []
  const turn = new Turn()
  for (const device of devices) {
    const effect = effectOn(device, now, then)
    if (effect) effects.push(effect)
    await turn.passed()
  }
  return effects
}

function effectOn(device: SeenSeeker, now: ClientsFile, then: ClientsFile): DeviceEffect | null {
  const [before, after] = [entryFor(now, device), entryFor(then, device)]
  if (before === after) return null
  const [has, gets] = [before, after].map((entry) =>
    [...device.own, ...(entry?.targets ?? [])].map(inWords),
  ) as [string[], string[]]
  const targets = has.join('\n') !== gets.join('\n')
  const viewer = gets.length > 0 && JSON.stringify(before?.viewer) !== JSON.stringify(after?.viewer)
  if (!targets && !viewer) return null
  const { id, mac, hostname } = device
  return { id, mac, hostname, now: has, then: gets, viewer: !targets }
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
