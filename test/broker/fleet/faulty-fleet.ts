import { readdirSync } from 'node:fs'
import t, { type Test as T } from 'tap'
import type { GenerationList } from '../../../broker/api/images.js'
import type { Job, JobList } from '../../../broker/api/jobs.js'
import type { MachineList } from '../../../broker/api/machines.js'
import { BerthOnFleet, IMAGES, OVERLAYS } from '../../support/berth-on-fleet.js'
import { until } from '../../support/until.js'

export const berth = await BerthOnFleet.start({
  hosts: 2,
  name: 'faults',
  settings: { 'release-after': 'PT2S' },
})
t.teardown(async () => {
  await berth.stop()
})
export const [hv1, hv2] = [berth.host(1), berth.host(2)]
await berth.makeDesktops(4, ['hv1', 'hv2'])

export const generations = async () =>
  (await berth.api.get<GenerationList>('/machines/base/generations')).generations
export const current = async (): Promise<string | undefined> =>
  (await generations()).find((one) => one.current)?.name
export const lastJob = async (): Promise<Job> => {
  const [job] = (await berth.api.get<JobList>('/jobs?limit=1')).jobs
  if (!job) throw new Error('there is no job')
  return job
}
/** The broker of now, with its hosts. */
export async function restarted(crashAt?: string): Promise<void> {
  await berth.restartBroker(crashAt)
  await Promise.all([berth.untilHypervisor('hv1', 'up'), berth.untilHypervisor('hv2', 'up')])
}
export async function reconnected(): Promise<void> {
  const { since } = await berth.untilHypervisor('hv1', 'up')
  await hv1.restart('sshd')
  await until(async () => (await berth.untilHypervisor('hv1', 'up')).since !== since, {
    withinMs: 30_000,
    what: 'hv1 is connected again',
  })
}
/**
 * Nothing half-made: no part files, no image without its generation, every machine on the current
 * generation and no lock left.
 */
export async function assertWhole(t: T, generation: string): Promise<void> {
  t.equal(await current(), generation)
  const known = (await generations()).map((one) => `base.${one.name}.qcow2`)
  for (const host of [hv1, hv2]) {
    const files = [...readdirSync(host.path(IMAGES)), ...readdirSync(host.path(OVERLAYS))]
    t.same(
      files.filter((name) => name.endsWith('.part')),
      [],
      `${host.name} has no part files`,
    )
    t.same(
      files.filter((name) => /^base\.g\d+\.qcow2$/.test(name) && !known.includes(name)),
      [],
      `${host.name} has no image that nobody knows`,
    )
  }
  for (const machine of (await berth.api.get<MachineList>('/machines')).machines)
    t.equal(machine.job, null, `${machine.name} is free`)
}
export async function assertPopulated(t: T, generation: string): Promise<void> {
  for (const machine of (await berth.api.get<MachineList>('/machines?parent=base')).machines) {
    t.match(machine, { generation, renewPending: false }, machine.name)
    const host = machine.hypervisor === 'hv1' ? hv1 : hv2
    t.match(
      await host.mustRun(['qemu-img', 'info', '-U', `${OVERLAYS}/${machine.name}.qcow2`]),
      `base.${generation}.qcow2`,
    )
    t.match(
      await host.mustRun(['virsh', 'dumpxml', machine.name]),
      new RegExp(`generation=['"]${generation}`),
    )
  }
}
