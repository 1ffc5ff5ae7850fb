import type { Generation } from '../api/images.js'
import { refusal } from '../errors/broker-error.js'
import type { Queries } from '../store/open.js'
import type { GenerationRow, MachineRow } from '../store/tables.js'
import { mapInTurns } from '../turn.js'

export function generationName(row: Pick<GenerationRow, 'number'>): string {
  return `g${row.number}`
}

/** `INITIAL.gN.qcow2`; machine names that end like `.g7` are refused, so it never meets a machine's own disk. */
export function generationFile(initial: string, number: number): string {
  return `${initial}.g${number}.qcow2`
}

/** Writes the next generation of an initial machine as `copying`. */
export async function reserveGeneration(
  queries: Queries,
  initial: MachineRow,
  sourceName: string,
  id: string,
): Promise<GenerationRow> {
  const last = await queries
    .selectFrom('generation')
    .select((eb) => eb.fn.max('number').as('number'))
    .where('initial_id', '=', initial.id)
    .executeTakeFirst()
  const used = await queries
    .selectFrom('setting')
    .select('value')
    .where('name', '=', `generation-number:${initial.id}`)
    .executeTakeFirst()
  const number = Math.max(Number(last?.number ?? 0), Number(used?.value ?? 0)) + 1
  await queries
    .insertInto('setting')
    .values({ name: `generation-number:${initial.id}`, value: String(number) })
    .onConflict((oc) => oc.column('name').doUpdateSet({ value: String(number) }))
    .execute()
  const row = {
    id,
    initial_id: initial.id,
    number,
    source_name: sourceName,
    state: 'copying' as const,
    current: 0 as const,
    file: generationFile(initial.name, number),
    bytes: null,
    virtual_bytes: null,
    sha256: null,
    method: null,
    created_at: Date.now(),
  }
  await queries.insertInto('generation').values(row).execute()
  return row
}

/** The current generation of an initial machine, or the named one. Throws `no_generation`. */
export async function requireGeneration(
  queries: Queries,
  initial: MachineRow,
  name?: string,
): Promise<GenerationRow> {
  const row = await queries
    .selectFrom('generation')
    .selectAll()
    .where('initial_id', '=', initial.id)
    .where('state', '=', 'ready')
    .$if(name === undefined, (q) => q.where('current', '=', 1))
    .$if(name !== undefined, (q) => q.where('number', '=', Number(name?.slice(1))))
    .executeTakeFirst()
  if (row) return row
  throw name === undefined
    ? refusal('image_missing', { machine: initial.name })
    : refusal('generation_unknown', { machine: initial.name, generation: name })
}

export interface WrittenImage {
  readonly bytes: number
  readonly virtual_size: number
  readonly sha256: string
  readonly method: string
}

/** Makes a written generation the current one, in one transaction with the place where it lies. */
export async function activateGeneration(
  queries: Queries,
  generation: { id: string; initialId: string },
  image: WrittenImage,
): Promise<void> {
  await queries
    .updateTable('generation')
    .set({ current: 0 })
    .where('initial_id', '=', generation.initialId)
    .execute()
  await queries
    .updateTable('generation')
    .set({
      state: 'ready',
      current: 1,
      bytes: image.bytes,
      virtual_bytes: image.virtual_size,
      sha256: image.sha256,
      method: image.method,
    })
    .where('id', '=', generation.id)
    .execute()
}

export async function recordCopy(
  queries: Queries,
  generationId: string,
  hypervisor: string,
): Promise<void> {
  await queries
    .insertInto('generation_copy')
    .values({ generation_id: generationId, hypervisor })
    .onConflict((oc) => oc.doNothing())
    .execute()
}

export async function copiesOf(queries: Queries, generationId: string): Promise<string[]> {
  const rows = await queries
    .selectFrom('generation_copy')
    .select('hypervisor')
    .where('generation_id', '=', generationId)
    .orderBy('hypervisor')
    .execute()
  return rows.map((row) => row.hypervisor)
}

/**
 * Generations of an initial that are neither current nor under an overlay nor wanted by a machine
 * or a job; `copying` ones are left alone.
 */
export async function unusedGenerations(
  queries: Queries,
  initialId: string,
): Promise<GenerationRow[]> {
  return await queries
    .selectFrom('generation')
    .selectAll()
    .where('initial_id', '=', initialId)
    .where('current', '=', 0)
    .where('state', 'in', ['ready', 'collecting'])
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('job')
            .select('job.id')
            .where('job.kind', '=', 'populate')
            .where('job.finished_at', 'is', null)
            .where((eb) =>
              eb(
                'job.input',
                'like',
                eb(eb(eb.val('%'), '||', eb.ref('generation.id')), '||', eb.val('%')),
              ),
            ),
        ),
      ),
    )
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('machine')
            .select('machine.id')
            .where((eb) =>
              eb.or([
                eb('machine.generation_id', '=', eb.ref('generation.id')),
                eb('machine.wanted_generation_id', '=', eb.ref('generation.id')),
              ]),
            ),
        ),
      ),
    )
    .execute()
}

/** All generations of an initial machine, newest first. */
export async function listGenerations(
  queries: Queries,
  initial: MachineRow,
): Promise<Generation[]> {
  const rows = await queries
    .selectFrom('generation')
    .selectAll()
    .where('initial_id', '=', initial.id)
    .orderBy('number', 'desc')
    .execute()
  const [machines, on] = [
    await machinesOn(queries, initial.id),
    await copiesOfAll(queries, initial.id),
  ]
  return await mapInTurns(rows, (row) => ({
    name: generationName(row),
    initial: initial.name,
    source: row.source_name,
    state: row.state,
    current: row.current === 1,
    bytes: row.bytes,
    virtualBytes: row.virtual_bytes,
    sha256: row.sha256,
    method: row.method,
    hypervisors: on.get(row.id) ?? [],
    machines: machines.get(row.id) ?? 0,
    createdAt: new Date(row.created_at).toISOString(),
  }))
}

/** How many machines stand on each generation of an initial, by the generation's id. */
async function machinesOn(queries: Queries, initialId: string): Promise<Map<string, number>> {
  const rows = await queries
    .selectFrom('machine')
    .innerJoin('generation', 'generation.id', 'machine.generation_id')
    .select((eb) => ['generation.id', eb.fn.countAll<number>().as('count')])
    .where('generation.initial_id', '=', initialId)
    .where('machine.type', '=', 'vdi')
    .groupBy('generation.id')
    .execute()
  return new Map(rows.map(({ id, count }) => [id, Number(count)]))
}

/** On which hypervisors each generation of an initial lies, by the generation's id. */
async function copiesOfAll(queries: Queries, initialId: string): Promise<Map<string, string[]>> {
  const rows = await queries
    .selectFrom('generation_copy')
    .innerJoin('generation', 'generation.id', 'generation_copy.generation_id')
    .select(['generation_id', 'hypervisor'])
    .where('generation.initial_id', '=', initialId)
    .orderBy('hypervisor')
    .execute()
  const copies = new Map<string, string[]>()
  for (const { generation_id: id, hypervisor } of rows) {
    const hosts = copies.get(id)
    if (hosts) hosts.push(hypervisor)
    else copies.set(id, [hypervisor])
  }
  return copies
}
