import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import type { Job } from '../../../broker/api/jobs.js'
import { BERTH } from '../../../broker/audit/store.js'
import { BrokerError, refusal } from '../../../broker/errors/broker-error.js'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { Engine } from '../../support/simulated-engine.js'
import { brokenRules } from './invariants.js'
import { makeWorld } from './scenarios.js'

const MACHINES = ['pc-1', 'pc-2', 'pc-3', 'new-1', 'new-2'] as const

type Act =
  | { readonly do: 'copy' }
  | { readonly do: 'lose answers' }
  | { readonly do: 'crash' }
  | { readonly do: 'cancel' }
  | { readonly do: 'rest' }
  | {
      readonly do: 'populate'
      readonly generation: string | null
      readonly force: boolean
      readonly start: boolean
    }
  | {
      readonly do: 'power'
      readonly machine: string
      readonly action: 'start' | 'shutdown' | 'poweroff' | 'reset'
    }
  | { readonly do: 'delete'; readonly machine: string }
  | { readonly do: 'create'; readonly machine: string }
  | { readonly do: 'look at'; readonly machine: string }
  | { readonly do: 'cut' | 'reconnect' | 'behind the back'; readonly host: string }

const machine = fc.constantFrom(...MACHINES)
const host = fc.constantFrom('hv1', 'hv2')
export const ACT: fc.Arbitrary<Act> = fc.oneof(
  fc.constantFrom<Act>(
    { do: 'copy' },
    { do: 'lose answers' },
    { do: 'crash' },
    { do: 'cancel' },
    { do: 'rest' },
  ),
  fc.record({
    do: fc.constant('populate' as const),
    generation: fc.constantFrom(null, null, 'g1', 'g2'),
    force: fc.boolean(),
    start: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('power' as const),
    machine,
    action: fc.constantFrom(
      'start' as const,
      'shutdown' as const,
      'poweroff' as const,
      'reset' as const,
    ),
  }),
  machine.chain((name) =>
    fc.constantFrom<Act>(
      { do: 'delete', machine: name },
      { do: 'create', machine: name },
      { do: 'look at', machine: name },
    ),
  ),
  fc.record({
    do: fc.constantFrom('cut' as const, 'reconnect' as const, 'behind the back' as const),
    host,
  }),
)

/** The world and what was asked of it. */
export class Walk {
  readonly jobs: string[] = []
  readonly seen: string[] = []

  private constructor(
    public engine: Engine,
    readonly hosts: readonly SimulatedHost[],
  ) {}

  static async begin(): Promise<Walk> {
    const hosts = [new SimulatedHost('hv1'), new SimulatedHost('hv2')]
    const walk = new Walk(await makeWorld(hosts), hosts)
    for (const one of hosts) {
      one.latencyMs = 1
      one.onAnswer = () => {
        walk.#lookAtBases()
      }
    }
    return walk
  }

  async act(act: Act): Promise<void> {
    try {
      const job = await this.#wish(act)
      if (job !== undefined) this.jobs.push(job)
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code === 'internal') throw error // a refusal is an answer
    }
  }

  async #wish(act: Act): Promise<string | undefined> {
    const { machines, images } = this.engine
    switch (act.do) {
      case 'copy':
        return await images.copy('gold', undefined, BERTH)
      case 'populate':
        return await images.populate(
          'gold',
          {
            force: act.force,
            start: act.start,
            ...(act.generation === null ? {} : { generation: act.generation }),
          },
          BERTH,
        )
      case 'power':
        return await machines.power(act.machine, { action: act.action, timeoutMs: 100 }, BERTH)
      case 'delete':
        return await machines.remove(act.machine, false, BERTH)
      case 'create':
        return (
          await machines.create(
            {
              name: act.machine,
              type: 'vdi',
              parent: 'gold',
              hypervisors: [act.machine === 'new-1' ? 'hv1' : 'hv2'],
            },
            BERTH,
          )
        ).job
      case 'cancel':
        return void (await this.engine.jobs.cancel(this.jobs.at(-1) ?? '', BERTH))
      case 'rest':
        return void (await delay(30))
      case 'crash':
        return void (await this.#crash())
      case 'lose answers':
        return void this.#loseAnswers()
      case 'look at':
        return void this.#lookAt(act.machine)
      default:
        return void this.#disturb(act.do, act.host)
    }
  }

  /** A viewer comes, or goes. */
  #lookAt(name: string): void {
    for (const one of this.hosts) one.viewers.set(name, one.viewers.has(name) ? [] : ['10.9.0.1'])
  }

  #disturb(what: 'cut' | 'reconnect' | 'behind the back', name: string): void {
    const one = this.hosts.find((found) => found.name === name)
    if (what !== 'behind the back') one?.link?.setUp(what === 'reconnect')
    else for (const domain of one?.domains.values() ?? []) domain.running = !domain.running
  }

  /** The next answer of each host is lost, after its effect. */
  #loseAnswers(): void {
    for (const one of this.hosts) {
      one.onAnswer = () => {
        one.onAnswer = () => {
          this.#lookAtBases()
        }
        throw refusal('line_lost', { hypervisor: 'hv1' })
      }
    }
  }

  /** The broker ends without a word; another one takes over its disk. */
  async #crash(): Promise<void> {
    const directory = this.engine.copyOfDisk()
    const old = this.engine
    old.hook = () => {
      throw new Error('it is dead')
    }
    for (const one of this.hosts) await one.link?.close()
    this.engine = await Engine.start({ hosts: this.hosts, directory, releaseAfterMs: 50 })
    await old.remove()
  }

  #lookAtBases(): void {
    for (const one of this.hosts)
      for (const [name, base] of one.overlays)
        if (base !== null && !one.images.has(base))
          this.seen.push(`${one.name}: the base ${base} of ${name} is missing`)
  }

  /** All hosts come back, all jobs end; then a copy and a populate bring the world in order. */
  async end(): Promise<string[]> {
    for (const one of this.hosts) {
      one.link?.setUp(true)
      one.onAnswer = () => {}
      one.viewers.clear()
    }
    await this.engine.idle(30_000)
    const rules = await this.#rules()
    const { store } = this.engine
    const lost = (
      await Promise.all(
        this.jobs.map(async (id) =>
          (await store.selectFrom('job').select('id').where('id', '=', id).executeTakeFirst())
            ? []
            : [`job ${id} was lost`],
        ),
      )
    ).flat()
    const order = await this.#bringInOrder()
    return [
      ...this.seen,
      ...lost,
      ...rules.filter((rule) => !/^nobody|has no domain/.test(rule)),
      ...order,
    ]
  }

  async #bringInOrder(): Promise<string[]> {
    const { machines, images } = this.engine
    const { machines: left } = { machines: await machines.list({ type: 'vdi' }) }
    const powerOff = async (name: string): Promise<Job> =>
      await this.engine.ended(
        await this.#whenFree(async () => await machines.power(name, { action: 'poweroff' }, BERTH)),
      )
    for (const { name } of left) await powerOff(name).catch(() => {})
    await this.engine.idle()
    for (const name of ['src', 'gold']) await powerOff(name)
    await this.engine.succeeded(
      await this.#whenFree(async () => await images.copy('gold', undefined, BERTH)),
    )
    if (left.length > 0)
      await this.engine.succeeded(
        await this.#whenFree(async () => await images.populate('gold', { force: true }, BERTH)),
      )
    await this.engine.idle()
    const generations = await images.generations('gold')
    return [
      ...(await this.#rules()),
      ...(generations.length === 1
        ? []
        : [
            'generations are ' +
              `left: ${generations.map(({ name, state, machines: count }) => `${name} ${state} ${count}`).join(', ')}`,
          ]),
    ].map((fault) => `in the end: ${fault}`)
  }

  /** What was released meanwhile is renewed by jobs of the broker's own, which are waited for. */
  async #whenFree(wish: () => Promise<string>): Promise<string> {
    for (let tries = 0; ; tries += 1)
      try {
        return await wish()
      } catch (error) {
        if (!(error instanceof BrokerError && error.code === 'busy') || tries === 10) throw error
        await this.engine.idle()
      }
  }

  async remove(): Promise<void> {
    await this.engine.remove()
  }

  async #rules(): Promise<string[]> {
    for (const one of this.hosts) await this.engine.observer.lookNow(one.name)
    return await brokenRules(this.engine.store, this.hosts)
  }
}
