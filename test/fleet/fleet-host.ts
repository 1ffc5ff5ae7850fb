import { type ChildProcessWithoutNullStreams } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { keptLog } from '../support/kept-logs.js'
import { until } from '../support/until.js'
import { fleetScript, runCommand, type CommandResult } from './command.js'
import { runInside, spawnInside, type InsideOptions, type RunOptions } from './inside.js'
import { createNamespace, withNetwork, type Namespace } from './namespace.js'
import { plugCable, setCable, type FleetNetwork } from './network.js'
import { processesOf, signal, type Service } from './processes.js'

const serviceTimeoutMs = 20_000
const startCommands = {
  libvirtd: ['libvirtd', '-d'],
  sshd: ['/usr/sbin/sshd', '-E', '/var/log/sshd.log'],
} as const

/**
 * A real hypervisor: its own root file system, network card, process table, host name,
 * sshd with Debian's own settings, and libvirtd. Its guests run as `<domain type='qemu'>`.
 */
export class FleetHost {
  readonly name: string
  readonly address: string
  /** Outside: what the host wrote (`disk/upper`, with `var/log`) and what its start said (`console.log`). */
  readonly stateDir: string
  readonly #network: FleetNetwork
  readonly #number: number
  readonly #cable: string
  #namespace: Namespace | undefined
  #disks = 0

  constructor(name: string, number: number, network: FleetNetwork, fleetDir: string) {
    this.name = name
    this.#number = number
    this.#network = network
    this.#cable = `b${network.number}h${number}`
    this.address = `10.${network.number}.1.${number}`
    this.stateDir = join(fleetDir, name)
    mkdirSync(this.stateDir)
  }

  /** Number, outside, of the host's first process. Throws while the host is without power. */
  get pid(): number {
    if (!this.#namespace) throw new Error(`${this.name} is without power; call powerOn() first`)
    return this.#namespace.pid
  }

  /** The host's file as seen from outside. */
  path(inside: string): string {
    return join(`/proc/${this.pid}/root`, inside)
  }

  /** Runs a program as root on the host, to its end. */
  async run(argv: string[], options?: RunOptions): Promise<CommandResult> {
    return runInside(this.pid, argv, options)
  }

  /** As `run`, and rejects unless it exits 0. Gives what it printed. */
  async mustRun(argv: string[], options?: RunOptions): Promise<string> {
    const { stdout, stderr, code } = await this.run(argv, options)
    if (code !== 0)
      throw new Error(`${this.name}: ${argv.join(' ')} exited ${code}: ${stderr.trim()}`)
    return stdout
  }

  spawnInside(argv: string[], options?: InsideOptions): ChildProcessWithoutNullStreams {
    return spawnInside(this.pid, argv, options)
  }

  /** Pulls the network cable: packets are lost, connections stay open at both ends. */
  async cut(): Promise<void> {
    await setCable(this.#cable, 'down')
  }

  async heal(): Promise<void> {
    await setCable(this.#cable, 'up')
  }

  /** Stops a service's processes where they are (SIGSTOP): it accepts connections and answers nothing. */
  async stall(service: Service): Promise<void> {
    this.#signal(service, 'SIGSTOP')
  }

  async resume(service: Service): Promise<void> {
    this.#signal(service, 'SIGCONT')
  }

  async kill(service: Service, name: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#signal(service, name)
  }

  /** Ends a service (of sshd: every connection too) and starts it again; guests keep running. */
  async restart(service: 'libvirtd' | 'sshd'): Promise<void> {
    this.#signal(service, 'SIGCONT')
    this.#signal(service, 'SIGTERM')
    await until(() => processesOf(service, this.pid).length === 0, {
      withinMs: serviceTimeoutMs,
      what: `${service} of ${this.name} has ended`,
    })
    await this.mustRun([...startCommands[service]])
  }

  /** Puts an empty file system of that size at `path`; what is there is hidden. Gives the undo. */
  async limitDisk(path: string, bytes: number): Promise<() => Promise<void>> {
    await this.mustRun(['mkdir', '-p', '--', path])
    await this.mustRun(['mount', '-t', 'tmpfs', '-o', `size=${bytes},mode=0711`, 'tmpfs', path])
    return () => this.#unmount(path)
  }

  /** Puts an empty XFS, whose files can share blocks (reflink), at `path`; at least 300 MiB. Gives the undo. */
  async reflinkDisk(path: string, bytes: number): Promise<() => Promise<void>> {
    const device = `/var/tmp/xfs-${this.#disks++}`
    await this.mustRun(['mkdir', '-p', '--', path])
    await this.mustRun(['truncate', '-s', String(bytes), '--', device])
    await this.mustRun(['mkfs.xfs', '-q', '-m', 'reflink=1', device])
    // The loop device frees itself with its mount, also when the host loses power.
    await this.mustRun(['mount', '-o', 'loop', '--', device, path])
    return () => this.#unmount(path)
  }

  async changeHostKey(): Promise<void> {
    await this.mustRun(['find', '/etc/ssh', '-name', 'ssh_host_*', '-delete'])
    await this.mustRun([
      'ssh-keygen',
      '-q',
      '-t',
      'ed25519',
      '-N',
      '',
      '-f',
      '/etc/ssh/ssh_host_ed25519_key',
    ])
    await this.restart('sshd')
  }

  /** Of the Ed25519 host key, as OpenSSH shows it: `SHA256:…`. */
  async hostKeyFingerprint(): Promise<string> {
    const line = await this.mustRun([
      'ssh-keygen',
      '-l',
      '-E',
      'sha256',
      '-f',
      '/etc/ssh/ssh_host_ed25519_key.pub',
    ])
    return line.split(' ')[1] ?? ''
  }

  /** Everything on the host is killed at once; what it wrote stays. */
  async powerCut(): Promise<void> {
    this.#keepLogs()
    await this.#namespace?.destroy()
    this.#namespace = undefined
    // The kernel removes the cable a little later by itself: it must be free for powerOn().
    await runCommand(['ip', 'link', 'delete', 'dev', this.#cable])
  }

  /** What its daemons and its guests said outlives it where somebody wants the logs. */
  #keepLogs(): void {
    const logs = join(this.stateDir, 'disk/upper/var/log')
    for (const log of ['sshd.log', 'libvirt/libvirtd.log']) {
      const source = join(logs, log)
      if (!existsSync(source) || statSync(source).size === 0) continue
      const kept = keptLog(`${this.name}-${basename(log, '.log')}`)
      if (kept !== null) copyFileSync(source, kept)
    }
  }

  async powerOn(): Promise<void> {
    if (this.#namespace) return
    const address = [`${this.address}/16`, this.#network.gateway]
    const namespace = await createNamespace(
      [fleetScript('host-init'), this.stateDir, this.name, ...address],
      {
        flags: ['--net', '--mount', '--uts', '--pid', '--ipc'],
        logFile: join(this.stateDir, 'console.log'),
      },
    )
    const hex = (value: number) => value.toString(16).padStart(2, '0')
    const mac = `52:54:00:${hex(this.#network.number)}:01:${hex(this.#number)}`
    await withNetwork(namespace, () => plugCable(this.#network, this.#cable, namespace.pid, mac))
    this.#namespace = namespace
    await until(
      async () =>
        (await this.run(['virsh', '-c', 'qemu:///system', 'version'], { timeoutMs: 10_000 }))
          .code === 0,
      {
        withinMs: serviceTimeoutMs,
        what: `libvirtd of ${this.name} answers`,
      },
    )
  }

  async #unmount(path: string): Promise<void> {
    await this.mustRun(['umount', '-l', '--', path])
  }

  #signal(service: Service, name: NodeJS.Signals): void {
    for (const pid of processesOf(service, this.pid)) signal(pid, name)
  }
}
