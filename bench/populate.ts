import type { Machine, MachineList } from '../broker/api/machines.js'
import type { JobRef } from '../broker/api/images.js'
import { domainXml } from '../broker/hypervisors/domain-xml.js'
import { randomMac } from '../broker/machines/macs.js'
import type { FleetHost } from '../test/fleet/fleet-host.js'
import type { ApiClient } from '../test/support/api-client.js'
import { createMachines, jobTimeMs } from './fleet-with-broker.js'
import type { BenchOptions, Places } from './places.js'
import { median, milliseconds, type Report } from './report.js'

const OVERLAYS = '/var/lib/berth/overlays'
const BARE_XML = '/var/tmp/bare'
const REMOVE_BARE =
  `set -e; ls ${BARE_XML} | sed 's/[.]xml$//' | xargs -n1 virsh -q -c qemu:///system undefine ` +
  `>/dev/null; rm -r ${BARE_XML} ${OVERLAYS}/bare-*`
/** Two times the bare loop: the project's own target. */
const TARGET_RATIO = 2

/** Populate through the API against the same commands in a bare parallel loop on the same host, in turn. */
export async function measurePopulate(
  places: Places,
  { small, runs, log }: BenchOptions,
): Promise<Report> {
  const { fleet, api } = await places.fleet(1)
  const host = fleet.hosts[0]
  if (!host) throw new Error('the fleet has no host')
  const count = small ? 10 : 100
  log(`Making ${count} machines on ${host.name} …`)
  await makeMachines(api, host, count)
  const samples = await inTurn(api, host, runs, log)
  await host.mustRun(['bash', '-c', REMOVE_BARE], { timeoutMs: 300_000 })
  await api.succeeded((await api.delete<JobRef>('/machines/populate-base?force=true')).job, 300_000)
  const ratio = median(samples.berth) / median(samples.bare)
  return {
    name: 'populate',
    title: `Populate ${count} machines on one hypervisor: overlays and definitions`,
    samples,
    note:
      `Median of ${runs} alternating runs each. The other side is xargs -P4 on the host over ` +
      `\`qemu-img create\` and \`virsh define\` with the same XML; both replace what a first ` +
      'run made.',
    comparisons: [
      {
        what: `populate ${count} machines`,
        berth: milliseconds(median(samples.berth)),
        otherSide: milliseconds(median(samples.bare)),
        ratio,
        target: `≤ ${TARGET_RATIO}`,
        met: ratio <= TARGET_RATIO,
      },
    ],
  }
}

async function makeMachines(api: ApiClient, host: FleetHost, count: number): Promise<void> {
  await createMachines(api, {
    name: 'populate-golden',
    type: 'source',
    hypervisors: [host.name],
    diskGib: 1,
  })
  await createMachines(api, {
    name: 'populate-base',
    type: 'initial',
    parent: 'populate-golden',
    hypervisors: [host.name],
  })
  await createMachines(api, {
    name: 'populate-{nnn}',
    count,
    type: 'vdi',
    parent: 'populate-base',
    hypervisors: [host.name],
  })
  await api.succeeded((await api.post<JobRef>('/machines/populate-base/copy')).job)
}

/** Milliseconds of each side, of as many runs. */
async function inTurn(
  api: ApiClient,
  host: FleetHost,
  runs: number,
  log: BenchOptions['log'],
): Promise<{ berth: number[]; bare: number[] }> {
  const script = await prepareBare(api, host)
  const samples = { berth: [] as number[], bare: [] as number[] }
  for (let run = 0; run <= runs; run++) {
    const bareMs = await bareLoop(host, script)
    const berthMs = await populate(api)
    if (run === 0) continue // the first of each side makes what the others replace
    samples.bare.push(bareMs)
    samples.berth.push(berthMs)
    log(
      `populate, run ${run} of ${runs}: Berth ${milliseconds(berthMs)}, bare loop ${milliseconds(bareMs)}`,
    )
  }
  return samples
}

async function populate(api: ApiClient): Promise<number> {
  const sinceMs = Date.now()
  const { job } = await api.post<JobRef>('/machines/populate-base/populate', {})
  return await jobTimeMs(api, job, sinceMs)
}

/** Puts the same definitions under other names on the host; gives the loop. */
async function prepareBare(api: ApiClient, host: FleetHost): Promise<string> {
  const { machines } = await api.get<MachineList>('/machines?parent=populate-base')
  await host.mustRun(['mkdir', '-p', BARE_XML])
  for (const machine of machines) {
    const name = machine.name.replace('populate-', 'bare-')
    await host.mustRun(['tee', `${BARE_XML}/${name}.xml`], { input: sameXml(machine, name) })
  }
  return (
    `ls ${BARE_XML} | sed 's/[.]xml$//' | xargs -P4 -I{} sh -c 'qemu-img create -q -f qcow2 -F ` +
    `qcow2 -b /var/lib/berth/images/populate-base.g1.qcow2 ${OVERLAYS}/{}.qcow2 && virsh -q -c ` +
    `qemu:///system define ${BARE_XML}/{}.xml'`
  )
}

function sameXml(machine: Machine, name: string): string {
  return domainXml({
    name,
    uuid: machine.id.replace(/^......../, 'ba4eba4e'),
    virtType: 'qemu',
    memoryMib: machine.memoryMib,
    vcpus: machine.vcpus,
    firmware: machine.firmware,
    network: machine.network,
    mac: randomMac(),
    serial: name,
    disk: `${OVERLAYS}/${name}.qcow2`,
    transient: false,
    destroyOnReboot: false,
    listen: '0.0.0.0',
    metadata: { generation: 'g1' },
    template: null,
  })
}

async function bareLoop(host: FleetHost, script: string): Promise<number> {
  const startMs = performance.now()
  await host.mustRun(['bash', '-c', script], { timeoutMs: 600_000 })
  return performance.now() - startMs
}
