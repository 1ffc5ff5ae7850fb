import { copyFileSync } from 'node:fs'
import type { JobRef } from '../broker/api/images.js'
import type { Machine } from '../broker/api/machines.js'
import type { FleetHost } from '../test/fleet/fleet-host.js'
import { guestImage } from '../test/fleet/guest-image.js'
import { until } from '../test/support/until.js'
import { createMachines, type FleetWithBroker } from './fleet-with-broker.js'

/** A guest that uses less than this share of a core has booted. */
const QUIET_SHARE = 0.25

/** Makes and starts the machine NAME-1 with the test guest, and waits until it is quiet. Gives its name. */
export async function startGuest(
  { api, broker }: FleetWithBroker,
  host: FleetHost,
  name: string,
): Promise<string> {
  const there = { hypervisors: [host.name] }
  const file = `/var/lib/berth/import/${name}.qcow2`
  await createMachines(api, { name: `${name}-golden`, type: 'source', diskGib: 1, ...there })
  await createMachines(api, {
    name: `${name}-base`,
    type: 'initial',
    parent: `${name}-golden`,
    ...there,
  })
  await createMachines(api, { name: `${name}-1`, type: 'vdi', parent: `${name}-base`, ...there })
  copyFileSync(await guestImage(), host.path(file))
  for (const [path, body] of [
    [`${name}-golden/import`, { path: file }],
    [`${name}-base/copy`, {}],
    [`${name}-base/populate`, {}],
    [`${name}-1/power`, { action: 'start' }],
  ] as const) {
    await api.succeeded((await api.post<JobRef>(`/machines/${path}`, body)).job)
  }
  await until(async () => (await api.get<Machine>(`/machines/${name}-1`)).power === 'running', {
    withinMs: 30_000,
    what: `${name}-1 of ${broker.url} runs`,
  })
  let before = await guestMs(host, `${name}-1`)
  await until(
    async () => {
      const now = await guestMs(host, `${name}-1`)
      const used = now - before
      before = now
      return used < QUIET_SHARE * 1_000
    },
    { withinMs: 120_000, everyMs: 1_000, what: `${name}-1 has booted` },
  )
  return `${name}-1`
}

/** Removes what `startGuest` has made. */
export async function removeGuest({ api }: FleetWithBroker, name: string): Promise<void> {
  for (const machine of [`${name}-base`, `${name}-golden`])
    await api.succeeded((await api.delete<JobRef>(`/machines/${machine}?force=true`)).job)
}

async function guestMs(host: FleetHost, machine: string): Promise<number> {
  const said = await host.mustRun([
    'virsh',
    '-q',
    '-c',
    'qemu:///system',
    'domstats',
    '--cpu-total',
    machine,
  ])
  return Number(/cpu\.time=(\d+)/.exec(said)?.[1] ?? 0) / 1e6
}
