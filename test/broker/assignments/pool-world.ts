import { queueAnswer } from '../../../broker/answers.js'
import type { PoolPolicyPatch } from '../../../broker/api/pool-policy.js'
import { BERTH } from '../../../broker/audit/store.js'
import { BrokerError, refusal } from '../../../broker/errors/broker-error.js'
import type { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { Engine } from '../../support/simulated-engine.js'
import { until } from '../../support/until.js'
import { type Act, PEOPLE } from './acts.js'
import { permissionsOf, setGrant } from './pool-grants.js'
import { isUp, lookAtHosts, setConnected, untilAtRest } from './pool-hosts.js'
import { LOOK_MS, MINUTE_MS, PoolMemory } from './pool-memory.js'
import {
  type AssignedRow,
  assignedRows,
  freeUncleaned,
  handOn,
  makePool,
  putAccount,
} from './pool-rows.js'

/** How one act is done. `expected`: who may lose their desktop by it. */
type Doing<Do extends Act['do']> = (
  act: Act & { readonly do: Do },
  expected: Set<string>,
) => Promise<void> | void

/** A pool on simulated hosts with a clock of its own, and an independent memory of who may have what. */
export class PoolWorld {
  readonly story: string[] = []
  readonly #memory: PoolMemory
  readonly #failing = new Set<string>()
  #nowMs = Date.UTC(2026, 0, 1)
  #monotonicMs = 0

  private constructor(
    public engine: Engine,
    readonly hosts: readonly SimulatedHost[],
  ) {
    this.#memory = new PoolMemory(hosts)
  }

  static async begin(
    hosts: readonly SimulatedHost[],
    policy: PoolPolicyPatch,
    size = 3,
  ): Promise<PoolWorld> {
    const clock = { world: undefined as PoolWorld | undefined }
    const start = async (directory?: string): Promise<Engine> =>
      await Engine.start({
        hosts,
        now: () => clock.world?.now ?? Date.UTC(2026, 0, 1),
        monotonicMs: () => clock.world?.monotonic ?? 0,
        mayHave: (store) => queueAnswer(store, permissionsOf(store)),
        ...(directory === undefined ? {} : { directory }),
      })
    const world = new PoolWorld(await start(), hosts)
    clock.world = world
    world.#start = start
    await world.engine.addHypervisors()
    await makePool(world.engine, policy, size)
    for (const name of PEOPLE) {
      await putAccount(world.engine.store, name)
      await world.#permit(name, true)
    }
    for (const host of hosts)
      host.onCall = (call) => {
        if (call === 'start' && world.#failing.has(host.name))
          throw refusal('simulated_refusal', { said: 'it does not start today' })
      }
    await world.#rest()
    return world
  }

  #start: (directory?: string) => Promise<Engine> = async () => {
    throw new Error('not begun')
  }

  get now(): number {
    return this.#nowMs
  }
  get monotonic(): number {
    return this.#monotonicMs
  }
  get faults(): readonly string[] {
    return this.#memory.faults
  }

  async has(user: string): Promise<boolean> {
    return (await this.#rowOf(user)) !== undefined
  }
  async hostOf(user: string): Promise<string> {
    return (await this.#rowOf(user))?.hypervisor ?? ''
  }
  async powerOf(user: string): Promise<string> {
    return (await this.#rowOf(user))?.power ?? 'nothing'
  }
  async warningOf(user: string): Promise<string> {
    return (
      (await this.engine.handingOut.assignments.desktops({ holder: `user:${user}` }))[0]?.warning
        ?.sentence ?? ''
    )
  }
  async #rowOf(user: string): Promise<AssignedRow | undefined> {
    return (await assignedRows(this.engine.store)).find((row) => row.holder === `user:${user}`)
  }

  async act(act: Act): Promise<void> {
    this.story.push(JSON.stringify(act))
    // Who may lose their desktop by this act: whose time is over, and whom the act names.
    const expected = this.#memory.due()
    this.#pass(1) // no two acts happen in the same moment
    try {
      // Each is kept under the name of its own act, which TypeScript cannot know here.
      await (this.#doing[act.do] as Doing<Act['do']>)(act, expected)
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code === 'internal') throw error // a refusal is an answer
      this.story.push(`  ${error.message}`)
    }
    await this.#rest()
    await this.#check(expected)
    await this.#memory.checkNobodyWaitsForNothing(this.engine.store, this.#monotonicMs)
  }

  readonly #doing: { readonly [Do in Act['do']]: Doing<Do> } = {
    claim: async ({ user }) => await this.#claim(user, false),
    queue: async ({ user }) => await this.#claim(user, true),
    'give up': ({ user }) => this.#memory.queue.gaveUp(user),
    assign: async (act) => await this.#assign(act),
    forbid: async ({ user }) => await this.#permit(user, false),
    permit: async ({ user }) => await this.#permit(user, true),
    dedicate: async (act) => await this.#memory.named.act(this.engine, act),
    'sit down': async (act) => await this.#memory.named.act(this.engine, act),
    'release the named one': async (act) => await this.#memory.named.act(this.engine, act),
    connect: async ({ user }) => await this.#connect(user, true),
    disconnect: async ({ user }) => await this.#connect(user, false),
    extend: async ({ user }) => {
      await this.#withMachine(user, async (machine) => {
        await this.engine.handingOut.assignments.extend(machine, BERTH)
        this.#memory.touch(user)
      })
    },
    release: async ({ user }, expected) => {
      await this.#withMachine(user, async (machine) => {
        expected.add(user)
        const how = { force: true, because: 'the walk' }
        await this.engine.handingOut.assignments.release(machine, BERTH, how)
      })
    },
    wait: async ({ minutes }, expected) => await this.#wait(minutes * MINUTE_MS, expected),
    'clock step': ({ minutes }) => {
      this.#nowMs += minutes * MINUTE_MS
    },
    cut: async ({ host }) => await setConnected(this.engine, this.#host(host), false),
    reconnect: async ({ host }) => await setConnected(this.engine, this.#host(host), true),
    'start fails': ({ host }) => {
      this.#failing.add(host)
    },
    'starts work': ({ host }) => {
      this.#failing.delete(host)
    },
    resize: async ({ size }) => {
      await this.engine.handingOut.pools.change('p', { size }, BERTH)
    },
    restart: async ({ awayMinutes }) => await this.#restart(awayMinutes * MINUTE_MS),
  }

  /** As the route does: who may not is refused before anything is done. */
  async #claim(user: string, queue: boolean): Promise<void> {
    const { store, handingOut } = this.engine
    await permissionsOf(store).require(
      { key: user, roles: [], accountRole: 'user', scopes: null },
      'start',
      'pool',
      'p',
    )
    const { machineId } = await handingOut.claims.claim('p', `user:${user}`, BERTH, queue)
    if (machineId === null) this.#memory.queue.asked(user, this.#monotonicMs)
    this.#memory.touch(user)
  }

  async #assign({ user, fixed, member }: Extract<Act, { do: 'assign' }>): Promise<void> {
    const { machine } = await this.engine.handingOut.assignments.assign(
      'p',
      user,
      { fixed, ...(member === null ? {} : { machine: `p-${member}` }) },
      BERTH,
      AbortSignal.abort(),
    )
    this.#memory.assigned(user, machine, fixed)
  }

  async #permit(user: string, permitted: boolean): Promise<void> {
    await setGrant(this.engine.store, user, 'p', permitted)
    this.#memory.permit(user, permitted)
  }

  #host(name: string): SimulatedHost {
    const host = this.hosts.find((one) => one.name === name)
    if (!host) throw new Error(`there is no host ${name}`)
    return host
  }

  #pass(ms: number): void {
    this.#nowMs += ms
    this.#monotonicMs += ms
  }

  async #withMachine(user: string, act: (machine: string) => Promise<void>): Promise<void> {
    const row = await this.#rowOf(user)
    if (row) await act(row.name)
  }

  /** A viewer comes to a desktop that its person may open now, or leaves. */
  async #connect(user: string, on: boolean): Promise<void> {
    const row = await this.#rowOf(user)
    const host = this.hosts.find((one) => one.name === row?.hypervisor)
    if (!row || !host || !isUp(host) || !host.domains.get(row.name)?.running) return
    if (row.unclean !== null || row.wanted === 1) return
    if (on) host.viewers.set(row.name, ['10.1.1.1'])
    else host.viewers.delete(row.name)
    host.push(row.name, 'viewer')
    this.#memory.connected(user, row.name, host, on)
    const isNoted = async (): Promise<boolean> => {
      const rows = await assignedRows(this.engine.store)
      return rows.find((one) => one.name === row.name)?.connected === (on ? 1 : 0)
    }
    await until(isNoted, { withinMs: 5_000, everyMs: 2, what: 'the viewer is noted' })
  }

  async #wait(ms: number, expected: Set<string>): Promise<void> {
    for (let left = ms; left > 0; left -= LOOK_MS) {
      const step = Math.min(LOOK_MS, left)
      this.#pass(step)
      for (const user of this.#memory.queue.patient(this.#monotonicMs))
        await this.#claim(user, true).catch((error: unknown) => {
          if (!(error instanceof BrokerError)) throw error
        })
      await this.#memory.pass(this.engine.store, step, expected)
      await lookAtHosts(this.engine, this.hosts)
      await this.engine.handingOut.keeper.lookNow(true)
      await this.#check(expected)
    }
  }

  async #restart(awayMs: number): Promise<void> {
    const down = this.hosts.filter((host) => !isUp(host))
    await this.engine.stop()
    this.#nowMs += awayMs
    this.engine = await this.#start(this.engine.directory)
    await until(() => this.hosts.every(isUp), {
      withinMs: 5_000,
      everyMs: 1,
      what: 'every host is connected',
    })
    for (const host of this.hosts) await this.engine.observer.lookNow(host.name)
    for (const host of down) host.link?.setUp(false)
  }

  async #rest(): Promise<void> {
    await untilAtRest(this.engine, this.hosts)
  }

  async #check(expected: Set<string>): Promise<void> {
    await this.#memory.check(this.engine, this.#monotonicMs, expected)
  }

  /** When all works again and time goes by, every desktop is handed out, free or assigned again. */
  async settle(): Promise<void> {
    this.#failing.clear()
    for (const host of this.hosts) await setConnected(this.engine, host, true)
    const expected = this.#memory.forAWhile()
    for (let minutes = 0; minutes < 40; minutes += 5) {
      await this.#wait(5 * MINUTE_MS, expected)
      await this.#rest()
    }
    await this.#check(expected)
    await this.#memory.checkNothingIsStuck(this.engine.store)
  }

  /** Sabotage, to see that the checks see it: the desktop is free at once. */
  async forgetCleaning(user: string): Promise<void> {
    await this.#withMachine(user, async (machine) => {
      await freeUncleaned(this.engine.store, machine)
    })
    this.#memory.forget(user)
  }

  /** Sabotage: what one has is another one's. */
  async swap(from: string, to: string): Promise<void> {
    await handOn(this.engine.store, from, to)
  }

  async end(): Promise<void> {
    await this.engine.remove()
  }
}
