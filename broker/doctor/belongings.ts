import { basename } from 'node:path'
import { type ParsedDomain, parseDomainXml, readMetadata } from '../hypervisors/domain-xml.js'
import { diskOf, specOf } from '../machines/definition.js'
import type { HypervisorRow, MachineRow } from '../store/tables.js'
import { judgeDefinitions, judgeDomains, type Shape, twinsAmong } from './domain-policy.js'
import type { Judgement, Said } from './finding.js'
import { ask, type Scene } from './scene.js'
import { type FilesLook, judgeFiles, named } from './storage-policy.js'

/** XML is asked for one by one, at most so often: beyond it a check would hold up those who wait for the line. */
const MOST_READ = 500

/** What the database and the host have of each other. */
export async function lookAtDomains(scene: Scene): Promise<Judgement> {
  const [domains, machines] = [await scene.link.listDomains(), await machinesOf(scene)]
  const strangers = domains
    .filter(({ uuid }) => !machines.some(({ id }) => id === uuid))
    .slice(0, MOST_READ)
  const left: string[] = []
  for (const { name } of strangers) {
    const xml = await scene.link.domainXml(name).catch(() => null) // undefined meanwhile
    if (xml !== null && readMetadata(xml) !== null) left.push(name)
  }
  return judgeDomains(domains, left, machines)
}

/** Domains of the host, Berth's or not, that have a MAC in common. While the line is down that is not known. */
export async function lookAtTwins(scene: Scene): Promise<Said[]> {
  if (scene.link.status().state !== 'up') return []
  const cards: Array<{ name: string; macs: readonly string[] }> = []
  for (const { name } of (await scene.link.listDomains()).slice(0, MOST_READ)) {
    const xml = await scene.link.domainXml(name).catch(() => null) // undefined meanwhile
    if (xml !== null) cards.push({ name, macs: parseDomainXml(xml).macs })
  }
  const twins = twinsAmong(cards)
  return twins.length === 0
    ? []
    : [{ code: 'networks-twins', values: { count: twins.length, names: named(twins) } }]
}

/** Only of domains that are off: what a running one was started with may be older, and rightly so. */
export async function lookAtDefinitions(scene: Scene): Promise<Judgement> {
  const [domains, machines] = [await scene.link.listDomains(), await machinesOf(scene)]
  const off = machines
    .filter(({ id }) => domains.some((domain) => domain.uuid === id && domain.power === 'off'))
    .slice(0, MOST_READ)
  const pairs: Array<{ name: string; wanted: Shape; found: Shape }> = []
  for (const machine of off) {
    const xml = await scene.link.domainXml(machine.name).catch(() => null)
    if (xml !== null)
      pairs.push({
        name: machine.name,
        ...shapesOf(machine, scene.row, parseDomainXml(xml)),
      })
  }
  return judgeDefinitions(pairs)
}

/** What Berth wants of it and what there is; of an adopted domain it wants nothing that it does not manage. */
function shapesOf(
  machine: MachineRow,
  hypervisor: HypervisorRow,
  found: ParsedDomain,
): { wanted: Shape; found: Shape } {
  const { memoryMib, vcpus, mac, network, disk, transient, destroyOnReboot } = specOf(
    machine,
    hypervisor,
    'qemu',
  )
  const foreignDisk = found.diskSource?.kind !== 'path' && machine.adopted === 1
  const foreignCard = /^(direct|other):/.test(found.network) && machine.adopted === 1
  return {
    wanted: {
      memoryMib,
      vcpus,
      mac: network === 'none' ? found.mac : mac,
      network: foreignCard ? found.network : network,
      disk: foreignDisk ? found.disk : disk,
      transient,
      destroyOnReboot,
    },
    found,
  }
}

export async function lookAtFiles(scene: Scene): Promise<Judgement> {
  const [files, machines] = [await ask<FilesLook>(scene, 'files'), await machinesOf(scene)]
  const generations = await scene.store
    .selectFrom('generation')
    .leftJoin('generation_copy', 'generation_copy.generation_id', 'generation.id')
    .select('generation.file')
    .where((eb) =>
      eb.or([
        eb('generation_copy.hypervisor', '=', scene.row.name),
        eb('generation.state', '=', 'copying'),
      ]),
    )
    .execute()
  return judgeFiles(
    files,
    new Set([
      ...machines.map((machine) => basename(machine.disk ?? diskOf(machine, scene.row))),
      ...machines.map(({ name }) => `${name}.qcow2`),
      ...generations.map(({ file }) => file),
    ]),
  )
}

async function machinesOf({ store, row }: Scene): Promise<MachineRow[]> {
  return await store.selectFrom('machine').selectAll().where('hypervisor', '=', row.name).execute()
}
