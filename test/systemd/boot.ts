import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connectQmp } from '../thin-client/qmp.js'

export interface BootImage {
  readonly disk: string
  readonly kernel: string
  readonly initrd: string
}

/**
 * How the device is connected. user: QEMU's own network, which reaches what the process that runs
 * QEMU reaches (10.0.2.2 is its loopback). tap: a tap device that exists and is up.
 */
export type BootNetwork =
  { readonly kind: 'user' } | { readonly kind: 'tap'; readonly name: string }

export interface BootOptions {
  readonly image: BootImage
  /**
   * HOST[:PORT] as the device reaches it, and the CA's fingerprint (`sha256:HEX`); both go to the
   * kernel command line.
   */
  readonly broker: string
  readonly ca: string
  readonly network?: BootNetwork
  /** The kernel's `ip=` (address::gateway:netmask:hostname:eth0:none); without it the device asks by DHCP. */
  readonly ip?: string
  readonly mac?: string
  readonly memoryMib?: number
  /** More words for the kernel command line, such as `berth.display=wayland`. */
  readonly kernelWords?: readonly string[]
  /** Starts a command line; for a device in a network namespace. QEMU runs as the user that this starts it as. */
  readonly start?: (argv: string[]) => ChildProcess
}

export interface BootedThinClient {
  /** Photographs the screen into a PNG file. */
  readonly photograph: (file: string) => Promise<void>
  /** What kernel and journal said so far, on the serial line. */
  readonly log: () => string
  /** Types on the keyboard; QEMU's key names (QKeyCode), pressed together. */
  readonly press: (...keys: string[]) => Promise<void>
  readonly ended: Promise<void>
  /** Pulls the plug and waits until QEMU is gone. */
  readonly stop: () => Promise<void>
}

const BUILD_LIMIT_MS = 600_000
const DEFAULT_MEMORY_MIB = 1024

/** Builds the disk of the thin client unless it is there already (minutes), and gives its parts. Needs root. */
export async function bootImage(cacheDirectory?: string): Promise<BootImage> {
  const script = join(sourceTree(), 'test/systemd/boot-image')
  const { stdout } = await promisify(execFile)(
    script,
    cacheDirectory === undefined ? [] : [cacheDirectory],
    { timeout: BUILD_LIMIT_MS, maxBuffer: 16 * 1024 * 1024 },
  )
  const folder = stdout.trim()
  return {
    disk: join(folder, 'disk.qcow2'),
    kernel: join(folder, 'vmlinuz'),
    initrd: join(folder, 'initrd.img'),
  }
}

/**
 * Switches a thin client on: a whole PC with the built disk, which stays as it is. Nothing is
 * typed; stop() ends it.
 */
export async function bootThinClient(options: BootOptions): Promise<BootedThinClient> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-boot-'))
  const [monitor, serial] = [join(directory, 'qmp'), join(directory, 'serial.log')]
  const argv = [
    'qemu-system-x86_64',
    ...machineArguments(options),
    '-serial',
    `file:${serial}`,
    '-qmp',
    `unix:${monitor},server=on,wait=off`,
  ]
  const process = (options.start ?? startProcess)(argv)
  let said = ''
  process.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = once(process, 'exit').then(() => undefined)
  const qmp = await Promise.race([
    connectQmp(monitor),
    ended.then(() => {
      throw new Error(`QEMU ended at once: ${said.trim()}`)
    }),
  ])
  return {
    photograph: async (file) => {
      await qmp.execute('screendump', { filename: file, format: 'png' })
    },
    log: () => (existsSync(serial) ? readFileSync(serial, 'utf8') : ''),
    press: async (...keys) => {
      await qmp.execute('send-key', { keys: keys.map((data) => ({ type: 'qcode', data })) })
    },
    ended,
    stop: async () => {
      // The connection closes before the answer: what counts is that QEMU ends.
      await qmp.execute('quit').catch(() => undefined)
      await ended
      qmp.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function machineArguments(options: BootOptions): string[] {
  const words = [
    'root=/dev/vda',
    'rw',
    'console=ttyS0',
    'console=tty0',
    'quiet',
    'loglevel=3',
    'net.ifnames=0',
    'consoleblank=0',
    `berth.broker=${options.broker}`,
    `berth.ca=${options.ca}`,
    ...(options.ip === undefined ? [] : [`ip=${options.ip}`]),
    ...(options.kernelWords ?? []),
  ]
  const network = options.network ?? { kind: 'user' }
  const netdev =
    network.kind === 'user'
      ? 'user,id=net'
      : `tap,id=net,ifname=${network.name},script=no,downscript=no`
  return [
    '-nodefaults',
    '-machine',
    'q35,accel=tcg',
    '-cpu',
    'max',
    '-smp',
    '2',
    '-m',
    String(options.memoryMib ?? DEFAULT_MEMORY_MIB),
    '-display',
    'none',
    '-kernel',
    options.image.kernel,
    '-initrd',
    options.image.initrd,
    '-append',
    words.join(' '),
    // Writes are thrown away with the process: each boot is the first one.
    '-drive',
    `file=${options.image.disk},format=qcow2,if=virtio,snapshot=on`,
    '-device',
    'virtio-vga',
    '-device',
    'virtio-keyboard-pci',
    '-device',
    'virtio-tablet-pci',
    '-device',
    'virtio-rng-pci',
    '-netdev',
    netdev,
    '-device',
    `virtio-net-pci,netdev=net,mac=${options.mac ?? '52:54:00:be:27:01'}`,
  ]
}

function startProcess(argv: string[]): ChildProcess {
  const [program = '', ...args] = argv
  return spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** This file also runs from the built tree, one folder deeper, where the scripts are not. */
function sourceTree(): string {
  const candidates = [join(import.meta.dirname, '../..'), join(import.meta.dirname, '../../..')]
  return (
    candidates.find((path) => existsSync(join(path, 'test/systemd/boot-image'))) ?? process.cwd()
  )
}
