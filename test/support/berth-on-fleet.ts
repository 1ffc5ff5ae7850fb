import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import type { Machine, MachinesAndJob, PowerAction } from '../../broker/api/machines.js'
import type { Job } from '../../broker/api/jobs.js'
import { type CommandResult, mustRun, runCommand } from '../fleet/command.js'
import { type Fleet, startFleet } from '../fleet/fleet.js'
import type { FleetHost } from '../fleet/fleet-host.js'
import {
  guestImage,
  readGuestScreen,
  writeIntoImage,
  type GuestScreen,
} from '../fleet/guest-image.js'
import type { ApiClient } from './api-client.js'
import { BrokerProcess, ROOT } from './broker-process.js'
import { until } from './until.js'

export const IMPORT_FILE = '/var/lib/berth/import/guest.qcow2'
export const IMAGES = '/var/lib/berth/images'
export const OVERLAYS = '/var/lib/berth/overlays'
/** The test guest is small; many fit beside each other. */
export const SMALL = { memoryMib: 128, vcpus: 1, network: 'none' }

/** The IPv6 address of who has this IPv4 address in a fleet. */
export function ipv6Of(address: string): string {
  return `fd00:be::${address.split('.').join(':')}`
}

async function giveIpv6Addresses(fleet: Fleet): Promise<void> {
  const add = (address: string, device: string): string[] => [
    'ip',
    'address',
    'add',
    `${ipv6Of(address)}/64`,
    'dev',
    device,
    'nodad',
  ]
  await mustRun(add(fleet.gateway, fleet.bridge))
  for (const host of fleet.hosts) await host.mustRun(add(host.address, 'eth0'))
}

/** A fleet of real hypervisors with a broker that knows them all. */
export class BerthOnFleet {
  private constructor(
    readonly fleet: Fleet,
    readonly broker: BrokerProcess,
    readonly directory: string,
    public api: ApiClient,
  ) {}

  static async start(options: {
    hosts: number
    name: string
    settings?: Record<string, string | number>
    /** Broker and hypervisors have IPv6 addresses, by which alone they are reached. */
    ipv6?: boolean
  }): Promise<BerthOnFleet> {
    const directory = mkdtempSync(join(tmpdir(), `berth-${options.name}-`))
    const fleet = await startFleet({ hosts: options.hosts, name: options.name })
    try {
      if (options.ipv6 === true) await giveIpv6Addresses(fleet)
      const broker = await BrokerProcess.start({
        directory,
        address: options.ipv6 === true ? ipv6Of(fleet.gateway) : fleet.gateway,
        thinClientNetworks: [fleet.subnet],
        ...(options.settings ? { settings: options.settings } : {}),
      })
      const berth = new BerthOnFleet(fleet, broker, directory, await broker.login())
      await Promise.all(
        fleet.hosts.map(async (host) => {
          await berth.addHypervisor(host)
        }),
      )
      return berth
    } catch (error) {
      await fleet.stop()
      throw error
    }
  }

  host(number: number): FleetHost {
    const host = this.fleet.hosts[number - 1]
    if (!host) throw new Error(`the fleet has no host ${number}`)
    return host
  }

  /** As an administrator does it: confirm the key, paste the line. */
  async addHypervisor(host: FleetHost): Promise<void> {
    const { installLine } = await this.api.post<{ installLine: string }>('/hypervisors', {
      name: host.name,
      address: this.broker.options.address.includes(':') ? ipv6Of(host.address) : host.address,
      fingerprint: await host.hostKeyFingerprint(),
      virtType: 'qemu',
    })
    await host.mustRun(['bash', '-c', installLine])
    await host.restart('libvirtd')
    await this.untilHypervisor(host.name, 'up')
  }

  async untilHypervisor(
    name: string,
    state: Hypervisor['state'],
    withinMs = 40_000,
  ): Promise<Hypervisor> {
    return await until(
      async () => {
        const hypervisor = await this.api.get<Hypervisor>(`/hypervisors/${name}`)
        if (hypervisor.state !== state) throw new Error(`${hypervisor.state}: ${hypervisor.reason}`)
        return hypervisor
      },
      { withinMs, everyMs: 100, what: `hypervisor ${name} is ${state}` },
    )
  }

  /** A source whose system says that it is this generation. */
  async makeSource(
    name: string,
    generation: string,
    host: FleetHost = this.host(1),
  ): Promise<void> {
    await this.create({ name, type: 'source', hypervisors: [host.name], diskGib: 0.125, ...SMALL })
    copyFileSync(await guestImage(), host.path(IMPORT_FILE))
    const { job } = await this.api.post<{ job: string }>(`/machines/${name}/import`, {
      path: IMPORT_FILE,
    })
    await this.api.succeeded(job)
    await this.writeGeneration(name, generation, host)
  }

  /**
   * The source `golden`, the initial `base` of hv1, and `count` machines `pc-1` to `pc-N` on these
   * hosts; nothing is copied yet.
   */
  async makeDesktops(count: number, hypervisors: readonly string[]): Promise<void> {
    await this.makeSource('golden', 'one')
    const base = { name: 'base', type: 'initial', parent: 'golden', hypervisors: ['hv1'] }
    await this.create({ ...base, ...SMALL })
    await this.create({ name: 'pc-{n}', count, type: 'vdi', parent: 'base', hypervisors, ...SMALL })
  }

  /** As an administrator would by starting the source and working in it. */
  async writeGeneration(
    source: string,
    generation: string,
    host: FleetHost = this.host(1),
  ): Promise<void> {
    await writeIntoImage(
      host.path(`${IMAGES}/${source}.qcow2`),
      '/etc/berth-generation',
      `${generation}\n`,
    )
  }

  async create(wish: object): Promise<Machine[]> {
    const { machines, job } = await this.api.post<MachinesAndJob>('/machines', wish)
    if (job !== null) await this.api.succeeded(job)
    return machines
  }

  async copy(initial: string): Promise<Job> {
    return await this.#job(`/machines/${initial}/copy`, {})
  }
  async populate(initial: string, request: object = {}): Promise<Job> {
    return await this.#job(`/machines/${initial}/populate`, request)
  }
  async power(machine: string, action: PowerAction, more: object = {}): Promise<Job> {
    return await this.#job(`/machines/${machine}/power`, { action, ...more })
  }
  async machine(name: string): Promise<Machine> {
    return await this.api.get<Machine>(`/machines/${name}`)
  }

  async untilPower(name: string, power: Machine['power'], withinMs = 20_000): Promise<Machine> {
    return await until(
      async () => {
        const machine = await this.machine(name)
        if (machine.power !== power) throw new Error(`it is ${machine.power}`)
        return machine
      },
      { withinMs, what: `${name} is ${power}` },
    )
  }

  /** What the guest itself shows, photographed by libvirt. */
  async screenOf(
    machine: string,
    wanted: Partial<GuestScreen> = {},
    withinMs = 60_000,
  ): Promise<GuestScreen> {
    const { hypervisor } = await this.machine(machine)
    const host = this.fleet.hosts.find((one) => one.name === hypervisor)
    if (!host) throw new Error(`no host ${hypervisor}`)
    return await until(
      async () => {
        await host.mustRun(['virsh', '-q', 'screenshot', machine, `/tmp/${machine}.ppm`])
        await host.mustRun(['convert', `/tmp/${machine}.ppm`, `/tmp/${machine}.png`])
        const seen = await readGuestScreen(host.path(`/tmp/${machine}.png`))
        for (const [key, value] of Object.entries(wanted))
          if (seen[key as keyof GuestScreen] !== value)
            throw new Error(`it shows ${JSON.stringify(seen)}`)
        return seen
      },
      { withinMs, everyMs: 300, what: `${machine} shows ${JSON.stringify(wanted)}` },
    )
  }

  /** Through the guest agent, as root in the guest. */
  async inGuest(
    machine: string,
    host: FleetHost,
    path: string,
    args: string[] = [],
  ): Promise<string> {
    const ask = async (execute: string, given: object): Promise<Record<string, unknown>> =>
      (
        JSON.parse(
          await host.mustRun([
            'virsh',
            'qemu-agent-command',
            machine,
            JSON.stringify({ execute, arguments: given }),
          ]),
        ) as { return: Record<string, unknown> }
      ).return
    const { pid } = await until(
      async () => await ask('guest-exec', { path, arg: args, 'capture-output': true }),
      { withinMs: 30_000, everyMs: 300, what: `the guest agent of ${machine} answers` },
    )
    const ended = await until(
      async () => {
        const status = await ask('guest-exec-status', { pid })
        return status['exited'] === true ? status : null
      },
      { withinMs: 10_000, what: `${path} ended in ${machine}` },
    )
    return Buffer.from(String(ended['out-data'] ?? ''), 'base64').toString('utf8')
  }

  /** Runs `berth` as it is installed, logged in by its environment. */
  async cli(...words: string[]): Promise<CommandResult> {
    const env = {
      ...process.env,
      NODE_OPTIONS: '',
      BERTH_BROKER: this.broker.hostAndPort,
      BERTH_CA: join(this.broker.options.directory, 'data', 'ca.pem'),
      BERTH_TOKEN: this.api.token ?? '',
    }
    return await runCommand([process.execPath, join(ROOT, 'dist/cli/main.js'), ...words], {
      env,
      timeoutMs: 120_000,
    })
  }

  async restartBroker(crashAt?: string): Promise<void> {
    await this.broker.start(crashAt)
    this.api = await this.broker.login()
  }

  async stop(): Promise<void> {
    await this.broker.stop()
    await this.fleet.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }

  async #job(path: string, body: object): Promise<Job> {
    const { job } = await this.api.post<{ job: string }>(path, body)
    return await this.api.ended(job)
  }
}
