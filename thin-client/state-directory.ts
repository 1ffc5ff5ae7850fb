import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

/**
 * What the device remembers: `device-key` (the broker knows it by this), `claim` (a secret of its
 * own until it has a key), `ca` (the CA trusted at first use). All only for the agent's user.
 */
export type StateFile = 'device-key' | 'claim' | 'ca'

const FORMS: Record<StateFile, RegExp> = {
  'device-key': /^[0-9a-f]{64}$/i,
  claim: /^[0-9a-f]{64}$/,
  ca: /^sha256:[0-9a-f]{64}$/,
}

/**
 * Gives undefined when the file is missing, or holds something else (a write that a power cut
 * spoilt). Throws when it cannot be read.
 */
export function readState(directory: string, file: StateFile): string | undefined {
  try {
    const text = readFileSync(join(directory, file), 'utf8').trim()
    return FORMS[file].test(text) ? text : undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Writes so that a power cut leaves the old or the new content: a new file, fsync, rename, fsync of
 * the directory. Mode 0600.
 */
export function writeState(directory: string, file: StateFile, text: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, file)
  const fresh = `${path}.${process.pid}.new`
  writeAndSync(fresh, `${text}\n`)
  renameSync(fresh, path)
  syncDirectory(directory)
}

export function removeState(directory: string, file: StateFile): void {
  rmSync(join(directory, file), { force: true })
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function writeAndSync(path: string, text: string): void {
  const handle = openSync(path, 'w', 0o600)
  try {
    writeSync(handle, text)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
