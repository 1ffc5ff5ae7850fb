import type { BatchItem } from './helper-channel.js'
import { BrokerError } from '../errors/broker-error.js'
import type { Directory, Mark, SimulatedHost } from './simulated.js'
import { identified, helperRefusal } from './simulated-domains.js'

export interface Doomed {
  readonly name: string
  readonly owner: string
  readonly made_by?: string | null
}
export interface Old {
  readonly dir: Directory
  readonly name: string
  readonly owner: string
  readonly bases?: readonly string[]
}
export interface Wanted {
  readonly name: string
  readonly uuid?: string
  readonly dir?: Directory
  readonly file?: string
  readonly owner?: string
}
export interface NewOverlay {
  readonly name: string
  readonly base: string
  readonly fresh: boolean
  readonly owner: string
}

/** The result of one item of a batch: what it refuses is its own. */
export function eachItem(name: string, act: () => void): BatchItem {
  try {
    act()
    return { name, ok: true }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    return { name, ok: false, error: error.cause as { code: string; message: string } }
  }
}

/** The mark of a file that was made for `owner`, or null when there is no file; refuses any other file. */
export function ownOf(
  host: SimulatedHost,
  dir: Directory,
  name: string,
  owner: string,
): Mark | null {
  if (!host[dir].has(name)) return null
  const mark = host.marks.get(`${dir}/${name}`)
  if (mark?.owner !== owner)
    throw helperRefusal(
      'foreign',
      `${dir}/${name} was not made by Berth for this; it is left as it is`,
    )
  return mark
}

export function makeImage(host: SimulatedHost, name: string, mark: Mark): unknown {
  const before = ownOf(host, 'images', name, mark.owner)
  if (before !== null) {
    if (before.operation === undefined || before.operation !== mark.operation)
      throw helperRefusal('exists', `${name} exists already`)
    return before.result
  }
  host.images.set(name, null)
  host.marks.set(`images/${name}`, mark)
  return mark.result
}

export function removeImage(
  host: SimulatedHost,
  dir: Directory,
  { name, owner, made_by }: Doomed,
): void {
  const mark = ownOf(host, dir, name, owner)
  if (mark !== null && made_by && mark.operation !== made_by)
    throw helperRefusal('foreign', `${name} was made by another operation`)
  if (dir === 'images' && [...host.overlays.values()].includes(name))
    throw helperRefusal('in_use', `${name} has overlays`)
  host[dir].delete(name)
  host.marks.delete(`${dir}/${name}`)
}

/**
 * It knows nothing of bytes, so that the checksum of an image proves nothing: an overlay is proven
 * by its base, the rest by being there.
 */
export function adopt(host: SimulatedHost, { dir, name, owner, bases = [] }: Old): void {
  if (!host[dir].has(name)) throw helperRefusal('not_found', `there is no image ${name}`)
  const base = host[dir].get(name) ?? ''
  if (host.marks.has(`${dir}/${name}`)) ownOf(host, dir, name, owner)
  else if (bases.length > 0 && !bases.includes(base))
    throw helperRefusal('foreign', `${name} is not Berth's`)
  else host.marks.set(`${dir}/${name}`, { owner, operation: undefined, result: {} })
}

export function refuseWhatIsThere(
  host: SimulatedHost,
  { name, uuid, dir = 'images', file, owner = '' }: Wanted,
): void {
  if (uuid !== undefined) identified(host, name, uuid)
  if (file !== undefined) ownOf(host, dir, file, owner)
}

export function makeOverlay(
  host: SimulatedHost,
  { name, base, fresh, owner }: NewOverlay,
  operation: string | undefined,
): void {
  if (!host.images.has(base)) throw helperRefusal('not_found', `there is no image ${base}`)
  ownOf(host, 'overlays', name, owner)
  const made = host.marks.get(`overlays/${name}`)?.operation
  const isMadeByThis = operation !== undefined && made === operation
  if ((isMadeByThis || !fresh) && host.overlays.get(name) === base) return
  if (host.domains.get(name.replace(/\.qcow2$/, ''))?.running)
    throw helperRefusal('in_use', `a running machine has ${name} open`)
  host.overlays.set(name, base)
  host.marks.set(`overlays/${name}`, { owner, operation, result: {} })
}
