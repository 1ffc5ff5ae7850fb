import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { XServerPlace } from './display.js'

const COOKIE_NAME = 'MIT-MAGIC-COOKIE-1'
/** Xauth(3): entries of this family fit every host and display address. */
const FAMILY_WILD = 0xffff

/**
 * One entry of an X authority file (Xau library, `XauWriteAuth`): family, then address, display
 * number, name and data, each with a 16-bit length.
 */
export function authorityEntry(displayNumber: number, cookie: Buffer): Buffer {
  const counted = (bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
  const family = Buffer.from([FAMILY_WILD >> 8, FAMILY_WILD & 0xff])
  return Buffer.concat([
    family,
    counted(Buffer.alloc(0)),
    counted(Buffer.from(String(displayNumber))),
    counted(Buffer.from(COOKIE_NAME)),
    counted(cookie),
  ])
}

/**
 * Finds a free display number and writes a fresh cookie, so that no other user of the device can
 * look at the screen. `directory`: private to the agent.
 */
export function prepareXServer(
  directory: string,
  environment: NodeJS.ProcessEnv,
  command: readonly string[] | undefined,
): XServerPlace {
  let number = 0
  while (existsSync(`/tmp/.X${number}-lock`) || existsSync(`/tmp/.X11-unix/X${number}`)) number++
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const authorityFile = join(directory, 'xauthority')
  writeFileSync(authorityFile, authorityEntry(number, randomBytes(16)), { mode: 0o600 })
  return {
    display: `:${number}`,
    vt: virtualTerminal(environment.XDG_VTNR, standardInput()),
    authorityFile,
    command,
  }
}

/** The virtual terminal of the session as logind says it, else the one that standard input is. */
export function virtualTerminal(fromLogind: string | undefined, input: string): number | undefined {
  const digits =
    /^[1-9][0-9]?$/.exec(fromLogind ?? '')?.[0] ?? /^\/dev\/tty([1-9][0-9]?)$/.exec(input)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

function standardInput(): string {
  try {
    return readlinkSync('/proc/self/fd/0')
  } catch {
    return ''
  }
}
