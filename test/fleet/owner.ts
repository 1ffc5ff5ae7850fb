import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * The process that started a fleet. A number alone may be another process's by now; with its start
 * time it is unique.
 */
export type Owner = { pid: number; startTicks: string }

const folderPrefix = 'berth-fleet-'
const ownerFile = 'owner'

export function thisProcess(): Owner {
  const startTicks = startTicksOf(process.pid)
  if (startTicks === undefined) throw new Error('/proc is not mounted; a fleet needs it')
  return { pid: process.pid, startTicks }
}

export function isSameOwner(owner: Owner): boolean {
  return startTicksOf(owner.pid) === owner.startTicks
}

/** Makes the folder of a fleet's state, with its owner's name on it. */
export function createStateFolder(owner: Owner, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `${folderPrefix}${name}-`))
  writeFileSync(join(folder, ownerFile), `${owner.pid} ${owner.startTicks}\n`)
  return folder
}

/** Removes the folders of fleets whose owner is gone. */
export function removeOrphanedFolders(): void {
  for (const entry of readdirSync(tmpdir())) {
    if (!entry.startsWith(folderPrefix)) continue
    const folder = join(tmpdir(), entry)
    const owner = ownerOf(folder)
    if (owner && !isSameOwner(owner))
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

function ownerOf(folder: string): Owner | undefined {
  try {
    const [pid, startTicks] = readFileSync(join(folder, ownerFile), 'utf8').trim().split(' ')
    return pid !== undefined && startTicks !== undefined
      ? { pid: Number(pid), startTicks }
      : undefined
  } catch {
    return undefined
  }
}

/** Field 22 of /proc/PID/stat (proc(5)); the name before it may contain spaces, so count from its bracket. */
function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
