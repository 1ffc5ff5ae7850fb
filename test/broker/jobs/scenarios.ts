import { BERTH } from '../../../broker/audit/store.js'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { Engine } from '../../support/simulated-engine.js'

/** A job of one kind, in a world where it has something to do. */
export interface Scenario {
  readonly name: string
  readonly kind: string
  /** The wish; gives the job's id. Asked again after a failure it must converge. */
  readonly wish: (engine: Engine) => Promise<string>
  /** What is true once it has succeeded; gives a sentence for each thing that is not. */
  readonly faults: (engine: Engine, hosts: readonly SimulatedHost[]) => Promise<string[]>
  /** Does what the wish needs besides the common world. */
  readonly prepare?: (engine: Engine) => Promise<void>
}

export const VDI = ['pc-1', 'pc-2', 'pc-3'] as const

/** Two hosts; source and initial on hv1; pc-1 and pc-3 on hv1, pc-2 on hv2; all populated from the first generation. */
export async function makeWorld(
  hosts = [new SimulatedHost('hv1'), new SimulatedHost('hv2')],
): Promise<Engine> {
  const engine = await Engine.start({ hosts })
  await engine.addHypervisors()
  const create = async (wish: Parameters<Engine['machines']['create']>[0]): Promise<void> => {
    await engine.succeeded((await engine.machines.create(wish, BERTH)).job)
  }
  await create({ name: 'src', type: 'source', hypervisors: ['hv1'] })
  await create({ name: 'gold', type: 'initial', parent: 'src', hypervisors: ['hv1'] })
  await create({
    name: 'pc-{n}',
    type: 'vdi',
    parent: 'gold',
    hypervisors: ['hv1', 'hv2'],
    count: 3,
  })
  await engine.succeeded(await engine.images.copy('gold', undefined, BERTH))
  await engine.succeeded(await engine.images.populate('gold', {}, BERTH))
  for (const host of hosts) await engine.observer.lookNow(host.name)
  return engine
}

const copyAgain = async (engine: Engine): Promise<void> => {
  await engine.succeeded(await engine.images.copy('gold', undefined, BERTH))
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'copy',
    kind: 'copy',
    wish: async (engine) => await engine.images.copy('gold', undefined, BERTH),
    faults: async (engine) => {
      const current = (await engine.images.generations('gold')).find(
        (generation) => generation.current,
      )
      return [
        ...(current && current.name !== 'g1' ? [] : ['no new generation is current']),
        ...(current?.hypervisors.join() === 'hv1,hv2'
          ? []
          : [`the current generation lies on ${current?.hypervisors.join() ?? 'nothing'}`]),
      ]
    },
  },
  {
    name: 'populate',
    kind: 'populate',
    prepare: copyAgain,
    wish: async (engine) => await engine.images.populate('gold', { start: true }, BERTH),
    faults: async (engine, hosts) => {
      const machines = (await engine.machines.list({ type: 'vdi' })).filter(
        (machine) => machine.generation !== 'g2',
      )
      const old = hosts
        .filter((host) => host.images.has('gold.g1.qcow2'))
        .map((host) => `${host.name} still has g1`)
      const off = VDI.filter((name) => !hosts.some((host) => host.domains.get(name)?.running))
      return [
        ...machines.map((machine) => `${machine.name} is on ${machine.generation ?? 'nothing'}`),
        ...old,
        ...off.map((name) => `${name} does not run`),
      ]
    },
  },
  {
    name: 'define',
    kind: 'define',
    wish: async (engine) => {
      for (const { name } of await engine.machines.list({ type: 'simple' }))
        await engine.succeeded(await engine.machines.remove(name, false, BERTH)) // of a first try that was cancelled
      return (
        await engine.machines.create(
          { name: 'new-{n}', type: 'simple', hypervisors: ['hv1', 'hv2'], count: 2 },
          BERTH,
        )
      ).job
    },
    faults: async (_engine, hosts) =>
      ['new-1', 'new-2']
        .filter(
          (name, index) =>
            !hosts[index]?.domains.has(name) || !hosts[index]?.images.has(`${name}.qcow2`),
        )
        .map((name) => `${name} was not made`),
  },
  {
    name: 'redefine',
    kind: 'define',
    wish: async (engine) =>
      (await engine.machines.setDiscardChanges('gold', { on: true, children: true }, BERTH)).job,
    faults: async (engine) =>
      (await engine.machines.list({ type: 'vdi' }))
        .filter((machine) => !machine.discardChanges)
        .map((machine) => `${machine.name} keeps its changes`),
  },
  {
    name: 'delete',
    kind: 'delete',
    wish: async (engine) => await engine.machines.remove('gold', true, BERTH),
    faults: async (engine, hosts) => [
      ...(await engine.machines.list())
        .filter((machine) => machine.name !== 'src')
        .map((machine) => `${machine.name} is still there`),
      ...hosts.flatMap((host) =>
        [...host.images.keys(), ...host.overlays.keys()]
          .filter((name) => name !== 'src.qcow2')
          .map((name) => `${name} is still on ${host.name}`),
      ),
    ],
  },
  {
    name: 'start',
    kind: 'power',
    wish: async (engine) =>
      await engine.machines.power('gold', { action: 'start', children: true }, BERTH),
    faults: async (_engine, hosts) =>
      VDI.filter((name) => !hosts.some((host) => host.domains.get(name)?.running)).map(
        (name) => `${name} does not run`,
      ),
  },
  {
    name: 'shutdown',
    kind: 'power',
    prepare: async (engine) => {
      await engine.succeeded(
        await engine.machines.power('gold', { action: 'start', children: true }, BERTH),
      )
    },
    wish: async (engine) =>
      await engine.machines.power(
        'gold',
        { action: 'shutdown', children: true, timeoutMs: 1_000 },
        BERTH,
      ),
    faults: async (_engine, hosts) =>
      hosts.flatMap((host) =>
        [...host.domains]
          .filter(([, domain]) => domain.running)
          .map(([name]) => `${name} still runs`),
      ),
  },
  {
    name: 'import',
    kind: 'import',
    wish: async (engine) => await engine.images.importImage('src', '/srv/import/win.qcow2', BERTH),
    faults: async (_engine, hosts) =>
      hosts[0]?.images.has('src.qcow2') ? [] : ['src has no disk'],
  },
]
