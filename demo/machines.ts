import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hypervisor } from '../broker/api/hypervisors.js'
import type { FleetHost } from '../test/fleet/fleet-host.js'
import type { Fleet } from '../test/fleet/fleet.js'
import { writeIntoImage } from '../test/fleet/guest-image.js'
import { until } from '../test/support/until.js'
import type { BerthCommand } from './berth-command.js'

/** For whom a page is made to be looked at; the password is told, since all of it is gone with the demo. */
export const [POOL, PERSON, PERSON_PASSWORD] = ['class', 'ann', 'a desk by the window']
/** What is written into the golden image, and read from the pictures of the desktops. */
export const GENERATION = 'g1'
const IMPORT_FILE = '/var/lib/berth/import/guest.qcow2'
/** A guest that does nothing needs no more. */
const SMALL = ['--memory', '256MiB', '--network', 'none']

export async function addHypervisor(berth: BerthCommand, host: FleetHost): Promise<void> {
  const { steps } = berth
  const fingerprint = await host.hostKeyFingerprint()
  const added = await berth.step(`Adding ${host.name} (${host.address}), host key ${fingerprint}`, [
    'hypervisor',
    'add',
    host.name,
    '--address',
    host.address,
    '--fingerprint',
    fingerprint,
    '-o',
    'json',
  ])
  const { installLine } = JSON.parse(added) as { installLine: string }
  await steps.step(`Pasting the install line as root on ${host.name}`, async () => {
    await host.mustRun(['bash', '-c', installLine])
    await host.restart('libvirtd') // there is no systemd on the host that would do it
  })
  await steps.step(`Waiting until ${host.name} is up`, async () => {
    await until(
      async () => {
        const shown = await berth.run(['hypervisor', 'show', host.name, '-o', 'json'])
        const { state, reason, virtType } = JSON.parse(shown) as Hypervisor
        if (state !== 'up') throw new Error(`it is ${state}: ${reason}`)
        return virtType !== null
      },
      { withinMs: 60_000, everyMs: 300, what: `${host.name} is up and probed` },
    )
  })
}

/** Golden machine, initial and vdi machines, with their disks. */
export async function makeMachines(
  berth: BerthCommand,
  fleet: Fleet,
  image: string,
  count: number,
): Promise<void> {
  const [home] = fleet.hosts
  if (!home) throw new Error('the fleet has no host')
  await makeGolden(berth, home, image)
  await berth.step('Creating the initial machine "base"', [
    'machine',
    'create',
    'base',
    '--type',
    'initial',
    '--parent',
    'golden',
    '--hypervisor',
    home.name,
    ...SMALL,
  ])
  await berth.step('Creating the vdi machines over both hypervisors', [
    'machine',
    'create',
    'pc-{n}',
    '--count',
    String(count),
    '--type',
    'vdi',
    '--parent',
    'base',
    ...fleet.hosts.flatMap((host) => ['--hypervisor', host.name]),
    ...SMALL,
    '--vcpus',
    '1',
    '--discard-changes',
  ])
  await berth.step('Copying the disk from the source', ['image', 'copy', 'base'])
  await berth.step('Populating the machines', ['populate', 'base'])
}

async function makeGolden(berth: BerthCommand, home: FleetHost, image: string): Promise<void> {
  await berth.step('Creating the source machine "golden"', [
    'machine',
    'create',
    'golden',
    '--type',
    'source',
    '--hypervisor',
    home.name,
    '--disk',
    '1GiB',
    ...SMALL,
  ])
  await berth.steps.step(
    `Installing its system: the guest's image, with ${GENERATION} written into a file on it`,
    async () => {
      copyFileSync(image, home.path(IMPORT_FILE))
      await writeIntoImage(home.path(IMPORT_FILE), '/etc/berth-generation', `${GENERATION}\n`)
    },
  )
  await berth.step('Importing that disk', ['image', 'import', 'golden', IMPORT_FILE])
}

/** Desktops that people get by themselves, on a page. */
export async function makePool(berth: BerthCommand, directory: string): Promise<void> {
  const file = join(directory, 'ann-password')
  writeFileSync(file, `${PERSON_PASSWORD}\n`, { mode: 0o600 })
  await berth.step(`Creating the pool "${POOL}" of two desktops`, [
    'pool',
    'create',
    POOL,
    '--from',
    'base',
    '--size',
    '2',
    ...SMALL,
    '--vcpus',
    '1',
  ])
  await berth.step(`Creating the account "${PERSON}", who may use it`, [
    'user',
    'create',
    PERSON,
    '--display-name',
    'Ann',
    '--password-file',
    file,
  ])
  await berth.run([
    'grant',
    'add',
    `pool:${POOL}`,
    'start',
    'stop',
    'reset',
    'accessConsole',
    'release',
    'extend',
    '--user',
    PERSON,
  ])
}
