import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { refusal } from '../errors/broker-error.js'

/**
 * Makes the data directory (0700) and takes it for this process. The lock is an open transaction of
 * a small database of its own: the kernel frees it when the process dies, however that happens.
 * Gives the function that frees it; throws when another broker has it.
 */
export function lockDataDirectory(path: string): () => void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  chmodSync(path, 0o700)
  const lock = new Database(join(path, 'lock'), { timeout: 0 })
  try {
    lock.pragma('locking_mode = EXCLUSIVE')
    lock.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    lock.close()
    throw refusal('data_directory_used', { path }, { cause })
  }
  return () => {
    lock.close()
  }
}
