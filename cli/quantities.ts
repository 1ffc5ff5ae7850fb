import { InvalidArgumentError } from 'commander'

const MIB_OF: Readonly<Record<string, number>> = {
  '': 1,
  M: 1,
  MB: 1,
  MiB: 1,
  G: 1024,
  GB: 1024,
  GiB: 1024,
  T: 1048576,
  TB: 1048576,
  TiB: 1048576,
}
const DAY_MS = 86_400_000

/** Reads `2048`, `2048MiB` or `2GiB` as MiB (also M, MB, G, GB: as in Proxmox, they mean the binary units). */
export function parseMemoryMib(text: string): number {
  const mib = parseSize(text, '')
  if (!Number.isInteger(mib))
    throw new InvalidArgumentError('It must be whole MiB, such as 2048 or 2GiB.')
  return mib
}

/** Reads `20`, `20GiB`, `512MiB` or `1TiB` as GiB, with a fraction where needed. */
export function parseDiskGib(text: string): number {
  return parseSize(text, 'GiB') / 1024
}

function parseSize(text: string, defaultUnit: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)$/.exec(text)
  const mib = MIB_OF[match?.[2] === '' ? defaultUnit : (match?.[2] ?? 'none')]
  if (match === null || mib === undefined)
    throw new InvalidArgumentError('Give a size such as 2048MiB, 2GiB or 1TiB.')
  return Number(match[1]) * mib
}

/**
 * Reads an ISO 8601 duration of days, hours, minutes and seconds (P90D, PT2M, P1DT12H) as
 * milliseconds. Weeks: P2W. Months and years have no fixed length.
 */
export function parseDurationMs(text: string): number {
  const weeks = /^P([0-9]+)W$/.exec(text)
  if (weeks !== null) return Number(weeks[1]) * 7 * DAY_MS
  const match =
    /^P(?!$)(?:([0-9]+)D)?(?:T(?!$)(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:\.[0-9]+)?)S)?)?$/.exec(
      text,
    )
  if (match === null)
    throw new InvalidArgumentError('Give an ISO 8601 duration such as PT2M, PT12H or P90D.')
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0))
  return (
    (days ?? 0) * DAY_MS +
    (hours ?? 0) * 3_600_000 +
    (minutes ?? 0) * 60_000 +
    (seconds ?? 0) * 1000
  )
}

/** Gives a parser of whole numbers within bounds, both included. */
export function parseInteger(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^[0-9]+$/.test(text) || value < minimum || value > maximum)
      throw new InvalidArgumentError(`Give a whole number from ${minimum} to ${maximum}.`)
    return value
  }
}

/** `1.5 GiB`: for reading, not for calculating. */
export function showBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`
}
