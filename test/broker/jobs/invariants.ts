import type { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import type { Store } from '../../../broker/store/open.js'

/** What must hold whenever no job runs; gives a sentence for each thing that does not. */
export async function brokenRules(
  store: Store,
  hosts: readonly SimulatedHost[],
): Promise<string[]> {
  return [
    ...(await ofJobs(store)),
    ...(await ofGenerations(store)),
    ...hosts.flatMap(ofOverlays),
    ...(await ofFiles(store, hosts)),
    ...(await ofDomains(store, hosts)),
    ...(await ofMachines(store, hosts)),
  ]
}

async function ofJobs(store: Store): Promise<string[]> {
  const locks = await store.selectFrom('job_lock').selectAll().execute()
  const jobs = await store.selectFrom('job').select(['id', 'kind', 'state', 'message']).execute()
  const targets = await store
    .selectFrom('job_target')
    .select(['job_id', 'name', 'state', 'message'])
    .execute()
  return [
    ...locks.map((lock) => `job ${lock.job_id} still locks machine ${lock.machine_id}`),
    ...targets
      .filter((target) => target.state === 'pending' || target.state === 'running')
      .map((target) => `target ${target.name} of job ${target.job_id} is ${target.state}`),
    ...jobs
      .filter((job) => ['failed', 'partly'].includes(job.state) && job.message === '')
      .map((job) => `job ${job.id} (${job.kind}) ${job.state} without a sentence`),
    ...targets
      .filter((target) => target.state === 'failed' && target.message === '')
      .map((target) => `target ${target.name} failed without a sentence`),
  ]
}

async function ofGenerations(store: Store): Promise<string[]> {
  const rows = await store.selectFrom('generation').selectAll().execute()
  const initials = [
    ...new Set(rows.filter((row) => row.state === 'ready').map((row) => row.initial_id)),
  ]
  return [
    ...rows
      .filter((row) => row.state === 'copying')
      .map((row) => `generation ${row.file} is half-made`),
    ...initials
      .filter((id) => rows.filter((row) => row.initial_id === id && row.current === 1).length !== 1)
      .map((id) => `initial ${id} has not exactly one current generation`),
    ...rows
      .filter((row) => row.current === 1 && row.state !== 'ready')
      .map((row) => `the current generation ${row.file} is ${row.state}`),
  ]
}

function ofOverlays(host: SimulatedHost): string[] {
  return [...host.overlays]
    .filter(([, base]) => base !== null && !host.images.has(base))
    .map(([name, base]) => `${host.name}: the base ${base ?? ''} of ${name} is missing`)
}

/** Every file belongs to something that the database knows, and what the database says to be there is there. */
async function ofFiles(store: Store, hosts: readonly SimulatedHost[]): Promise<string[]> {
  const machines = await store.selectFrom('machine').selectAll().execute()
  const copies = await store
    .selectFrom('generation_copy')
    .innerJoin('generation', 'generation.id', 'generation_copy.generation_id')
    .select(['generation.file', 'generation_copy.hypervisor', 'generation.state'])
    .execute()
  return hosts.flatMap((host) => {
    const here = machines.filter((machine) => machine.hypervisor === host.name)
    const disks = new Set(
      here
        .filter((machine) => machine.type === 'source' || machine.type === 'simple')
        .map((machine) => `${machine.name}.qcow2`),
    )
    const overlays = new Set(
      here
        .filter((machine) => machine.type === 'vdi' || machine.type === 'initial')
        .map((machine) => `${machine.name}.qcow2`),
    )
    const generations = copies.filter((copy) => copy.hypervisor === host.name)
    return [
      ...[...host.images.keys()]
        .filter((name) => !disks.has(name) && !generations.some((copy) => copy.file === name))
        .map((name) => `${host.name}: nobody knows the image ${name}`),
      ...[...host.overlays.keys()]
        .filter((name) => !overlays.has(name))
        .map((name) => `${host.name}: nobody knows the overlay ${name}`),
      ...generations
        .filter((copy) => copy.state === 'ready' && !host.images.has(copy.file))
        .map((copy) => `${host.name}: ${copy.file} is gone`),
      ...[...disks]
        .filter((name) => !host.images.has(name))
        .map((name) => `${host.name}: the disk ${name} is gone`),
    ]
  })
}

/** The host's domains are the machines', under their own names and UUIDs. */
async function ofDomains(store: Store, hosts: readonly SimulatedHost[]): Promise<string[]> {
  const machines = await store.selectFrom('machine').select(['id', 'name', 'hypervisor']).execute()
  const domains = hosts.flatMap((host) =>
    [...host.domains].map(([name, { uuid }]) => ({ name, id: uuid, hypervisor: host.name })),
  )
  const same = (a: (typeof machines)[number], b: (typeof machines)[number]): boolean =>
    a.id === b.id && a.name === b.name && a.hypervisor === b.hypervisor
  return [
    ...machines
      .filter((machine) => !domains.some((domain) => same(domain, machine)))
      .map((machine) => `${machine.name} has no domain`),
    ...domains
      .filter((domain) => !machines.some((machine) => same(domain, machine)))
      .map((domain) => `${domain.hypervisor}: nobody knows the domain ${domain.name}`),
  ]
}

/** The overlay stands on the generation that the database names. */
async function ofMachines(store: Store, hosts: readonly SimulatedHost[]): Promise<string[]> {
  const rows = await store
    .selectFrom('machine')
    .innerJoin('generation', 'generation.id', 'machine.generation_id')
    .select(['machine.name', 'machine.hypervisor', 'generation.file'])
    .where('machine.type', 'in', ['vdi', 'initial'])
    .execute()
  return rows.flatMap(({ name, hypervisor, file }) => {
    const base = hosts.find((host) => host.name === hypervisor)?.overlays.get(`${name}.qcow2`)
    return base === file
      ? []
      : [`the overlay of ${name} stands on ${base ?? 'nothing'}, not on ${file}`]
  })
}
