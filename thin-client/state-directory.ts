import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

/** What the device remembers: `device-key` (the broker knows it by this), `ca` (the CA trusted at first use). Both only for the agent's user. */
export type StateFile = 'device-key' | 'ca'

const FORMS: Record<StateFile, RegExp> = {
  'device-key': /^[0-9a-f]{64}$/i,
  ca: /^sha256:[0-9a-f]{64}$/,
}

/** Gives undefined when the file is missing, or holds something else (a write that a power cut spoilt). Throws when it cannot be read. */
export function readState(directory: string, file: StateFile): string | undefined {
  try {
    const text = readFileSync(join(directory, file), 'utf8').trim()
    return FORMS[file].test(text) ? text : undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes so that a power cut leaves the old or the new content: a new file, fsync, rename, fsync of the directory. Mode 0600. */
export function writeState(directory: string, file: StateFile, text: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, file)
  const fresh = `${path}.${process.pid}.new`
  writeAndSync(fresh, `${text}\n`)
  renameSync(fresh, path)
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
