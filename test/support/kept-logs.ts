import { mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'

let count = 0

/**
 * Returns a new file for the log of something that this process starts, in the folder that
 * `BERTH_LOGS` names: it outlives the test, so that one can read afterwards why that failed.
 * Returns null where nobody asked for it.
 */
export function keptLog(what: string): string | null {
  const folder = process.env['BERTH_LOGS'] ?? ''
  if (folder === '') return null
  const program = basename(process.argv[1] ?? 'program').replace(/\.[a-z]+$/, '')
  mkdirSync(folder, { recursive: true })
  count += 1
  return join(folder, `${program}-${process.pid}-${String(count)}-${what}.log`)
}
