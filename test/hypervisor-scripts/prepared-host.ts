import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun } from '../fleet/command.js'
import { type FleetHost } from '../fleet/fleet-host.js'
import { ROOT } from '../support/broker-process.js'
import { HelperLine } from './helper-line.js'

export const scripts = join(ROOT, 'hypervisor-scripts')
export const helperPath = '/usr/local/libexec/berth/berth-helper'
/** Where Berth's files are on a host. */
export const folder = '/var/lib/berth'
export const roomy = {
  images: '/var/lib/berth/images',
  overlays: '/var/lib/berth/overlays',
  transient: '/var/lib/berth/transient',
}

/** Builds helper and installer into `folder`. */
export async function buildScripts(folder: string): Promise<string> {
  await mustRun([join(scripts, 'build-installer'), folder])
  return readFileSync(join(folder, 'hypervisor-installer.sh'), 'utf8')
}

/** Runs the installer as an administrator does who pastes the broker's line: it comes through a pipe. */
export function runInstaller(
  host: FleetHost,
  installer: string,
  publicKey: string,
  ...words: string[]
) {
  return host.run(['bash', '-s', '--', ...words], {
    input: installer.replace('@PUBLIC_KEY@', publicKey),
  })
}

/** A helper on the host, started directly as root. */
export async function openHelper(
  host: FleetHost,
  directories: Record<string, string> | null = roomy,
): Promise<HelperLine> {
  const line = new HelperLine(host.spawnInside([helperPath]))
  if (directories) await line.must('configure', directories)
  return line
}

/** For whom the files of these tests are made. */
export const owner = 'the-tests'

/** What is to be removed. */
export const doomed = (...names: string[]): object[] => names.map((name) => ({ name, owner }))

/** The UUID that a domain of this name has here. */
export function uuidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

export async function defineDomain(host: FleetHost, xml: string): Promise<void> {
  writeFileSync(host.path('/root/domain.xml'), xml)
  await host.mustRun(['virsh', 'define', '/root/domain.xml'])
}

/** Opens an image for writing as a running machine does, until `close`. */
export async function openElsewhere(
  host: FleetHost,
  path: string,
): Promise<{ close(): Promise<void> }> {
  const user = host.spawnInside(['qemu-io', '-f', 'qcow2', path])
  await once(user.stdout, 'data')
  return {
    async close() {
      const ended = once(user, 'exit')
      user.stdin.end('quit\n')
      await ended
    },
  }
}
