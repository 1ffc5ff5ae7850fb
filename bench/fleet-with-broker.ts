import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MachinesAndJob } from '../broker/api/machines.js'
import type { Hypervisor } from '../broker/api/hypervisors.js'
import { type Fleet, startFleet } from '../test/fleet/fleet.js'
import type { FleetHost } from '../test/fleet/fleet-host.js'
import type { ApiClient } from '../test/support/api-client.js'
import { BrokerProcess } from '../test/support/broker-process.js'
import { until } from '../test/support/until.js'

/** Real hypervisors that are up in a real broker, and an administrator's client of it. */
export interface FleetWithBroker {
  readonly fleet: Fleet
  readonly broker: BrokerProcess
  readonly api: ApiClient
  readonly directory: string
  stop(): Promise<void>
}

export async function startFleetWithBroker(
  hosts: number,
  log: (line: string) => void,
): Promise<FleetWithBroker> {
  log(`Starting ${hosts === 1 ? 'a hypervisor' : `${hosts} hypervisors`} and a broker …`)
  const directory = mkdtempSync(join(tmpdir(), 'berth-bench-'))
  const fleet = await startFleet({ hosts, name: 'bench' })
  let broker: BrokerProcess | undefined
  const stop = async (): Promise<void> => {
    await broker?.stop()
    await fleet.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    broker = await BrokerProcess.start({
      directory,
      address: fleet.gateway,
      thinClientNetworks: [fleet.subnet],
      settings: { 'log-level': 'warn' },
    })
    const api = await broker.login()
    const installer = (await api.raw('GET', '/install/hypervisor.sh')).text
    for (const host of fleet.hosts) await addHypervisor(host, installer, api)
    return { fleet, broker, api, directory, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The host is installed before it is added, so that its log holds no attempt that must fail. */
async function addHypervisor(host: FleetHost, installer: string, api: ApiClient): Promise<void> {
  await host.mustRun(['bash', '-s'], { input: installer })
  await host.restart('libvirtd')
  await api.post('/hypervisors', {
    name: host.name,
    address: host.address,
    fingerprint: await host.hostKeyFingerprint(),
    virtType: 'qemu',
  })
  await until(async () => (await api.get<Hypervisor>(`/hypervisors/${host.name}`)).state === 'up', {
    withinMs: 60_000,
    everyMs: 200,
    what: `${host.name} is up`,
  })
}

/** Creates machines and waits until they are defined. */
export async function createMachines(api: ApiClient, wish: object): Promise<void> {
  const { job } = await api.post<MachinesAndJob>('/machines', {
    memoryMib: 128,
    vcpus: 1,
    network: 'none',
    ...wish,
  })
  if (job !== null) await api.succeeded(job, 10 * 60_000)
}

/**
 * Waits for the job's end and gives its time as the broker's clock has it, from the moment
 * `sinceMs` (Date.now) at which it was asked for.
 */
export async function jobTimeMs(api: ApiClient, job: string, sinceMs: number): Promise<number> {
  const ended = await until(
    async () => {
      const seen = await api.get<{ state: string; finishedAt: string | null; message: string }>(
        `/jobs/${job}`,
      )
      return seen.finishedAt === null ? null : seen
    },
    { withinMs: 30 * 60_000, everyMs: 250, what: `job ${job} has ended` },
  )
  if (ended.state !== 'succeeded') throw new Error(`job ${job} ${ended.state}: ${ended.message}`)
  return Date.parse(ended.finishedAt ?? '') - sinceMs
}
