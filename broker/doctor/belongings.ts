import { basename } from 'node:path'
import { domainXml, parseDomainXml, readMetadata } from '../hypervisors/domain-xml.js'
import { diskOf, specOf } from '../machines/definition.js'
import type { MachineRow } from '../store/tables.js'
import { judgeDefinitions, judgeDomains, type Shape } from './domain-policy.js'
import type { Judgement } from './finding.js'
import { ask, type Scene } from './scene.js'
import { type FilesLook, judgeFiles } from './storage-policy.js'

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
        wanted: parseDomainXml(domainXml(specOf(machine, scene.row, 'qemu'))),
        found: parseDomainXml(xml),
      })
  }
  return judgeDefinitions(pairs)
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
