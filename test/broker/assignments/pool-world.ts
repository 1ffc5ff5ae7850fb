import { queueAnswer } from '../../../broker/answers.js'
import type { PoolPolicyPatch } from '../../../broker/api/pool-policy.js'
import { BERTH } from '../../../broker/audit/store.js'
import { BrokerError, refusal } from '../../../broker/errors/broker-error.js'
import type { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { Engine } from '../../support/simulated-engine.js'
import { until } from '../../support/until.js'
import { type Act, PEOPLE } from './acts.js'
import { NamedMachine } from './named-machine.js'
import { permissionsOf, setGrant } from './pool-grants.js'
import { QueueMemory } from './queue-memory.js'

export const MINUTE_MS = 60_000
const RETENTION_MS = 10 * MINUTE_MS
/** The keeper looks as often in the walk's time. */
const LOOK_MS = 30_000

/** What the walk itself knows of a person's desktop. */
interface Holding {
  machine: string
  connected: boolean
  idleMs: number
  begun: boolean
  fixed: boolean
}

/** A pool on simulated hosts with a clock of its own, and an independent memory of who may have what. */
export class PoolWorld {
  readonly faults: string[] = []
  readonly story: string[] = []
  readonly #holdings = new Map<string, Holding>()
  /** Machine to who used it last, and in which boot. */
  readonly #lastUse = new Map<string, { user: string; boot: number }>()
  readonly #failing = new Set<string>()
  readonly #queue = new QueueMemory()
  readonly #named = new NamedMachine('pc')
  readonly #permitted = new Set<string>(PEOPLE)
  /** Whom an administrator has given a desktop since the last look. */
  readonly #byHand = new Set<string>()
  #nowMs = Date.UTC(2026, 0, 1)
  #monotonicMs = 0

  private constructor(
    public engine: Engine,
    readonly hosts: readonly SimulatedHost[],
    readonly rebuilds: Map<string, number>,
  ) {}

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
    const world = new PoolWorld(await start(), hosts, new Map())
    clock.world = world
    world.#start = start
    await world.engine.addHypervisors()
    const { engine } = world
    await engine.succeeded(
      (await engine.machines.create({ name: 'gold', type: 'source', hypervisors: ['hv1'] }, BERTH))
        .job,
    )
    const { job } = await engine.handingOut.pools.create(
      { name: 'p', from: 'gold', size, policy },
      BERTH,
    )
    await engine.succeeded(job ?? '')
    await engine.succeeded(
      (await engine.machines.create({ name: 'pc', type: 'simple', hypervisors: ['hv1'] }, BERTH))
        .job,
    )
    for (const name of PEOPLE) {
      await engine.store
        .insertInto('account')
        .values({
          name,
          name_key: name,
          source: 'local',
          subject: null,
          password_hash: null,
          display_name: '',
          created_at: 0,
          last_login_at: null,
        })
        .execute()
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

  async has(user: string): Promise<boolean> {
    return (await this.#rows()).some((row) => row.holder === `user:${user}`)
  }
  async hostOf(user: string): Promise<string> {
    return (await this.#rows()).find((row) => row.holder === `user:${user}`)?.hypervisor ?? ''
  }
  async powerOf(user: string): Promise<string> {
    return (await this.#rows()).find((row) => row.holder === `user:${user}`)?.power ?? 'nothing'
  }
  async warningOf(user: string): Promise<string> {
    return (
      (await this.engine.handingOut.assignments.desktops({ holder: `user:${user}` }))[0]?.warning
        ?.sentence ?? ''
    )
  }

  async act(act: Act): Promise<void> {
    this.story.push(JSON.stringify(act))
    // Who may lose his desktop by this act: whose time is over, and whom the act names.
    const expected = new Set(
      [...this.#holdings].filter(([, holding]) => isDue(holding)).map(([user]) => user),
    )
    this.#pass(1) // no two acts happen in the same moment
    try {
      await this.#do(act, expected)
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code === 'internal') throw error // a refusal is an answer
      this.story.push(`  ${error.message}`)
    }
    await this.#rest()
    await this.#check(expected)
    await this.#checkNobodyWaitsForNothing()
  }

  async #do(act: Act, expected: Set<string>): Promise<void> {
    const { assignments, pools } = this.engine.handingOut
    switch (act.do) {
      case 'claim':
        await this.#claim(act.user, false)
        return
      case 'queue':
        await this.#claim(act.user, true)
        return
      case 'give up':
        this.#queue.gaveUp(act.user)
        return
      case 'assign':
        await this.#assign(act)
        return
      case 'forbid':
      case 'permit':
        await this.#permit(act.user, act.do === 'permit')
        return
      case 'dedicate':
      case 'sit down':
      case 'release the named one':
        await this.#named.act(this.engine, act)
        return
      case 'connect':
        await this.#connect(act.user, true)
        return
      case 'disconnect':
        await this.#connect(act.user, false)
        return
      case 'extend':
        await this.#withMachine(act.user, async (machine) => {
          await assignments.extend(machine, BERTH)
          this.#touch(act.user)
        })
        return
      case 'release':
        await this.#withMachine(act.user, async (machine) => {
          expected.add(act.user)
          await assignments.release(machine, BERTH, { force: true, because: 'the walk' })
        })
        return
      case 'wait':
        await this.#wait(act.minutes * MINUTE_MS, expected)
        return
      case 'clock step':
        this.#nowMs += act.minutes * MINUTE_MS
        return
      case 'cut':
      case 'mend':
        await this.#line(act.host, act.do === 'mend')
        return
      case 'start fails':
        this.#failing.add(act.host)
        return
      case 'starts work':
        this.#failing.delete(act.host)
        return
      case 'resize':
        await pools.change('p', { size: act.size }, BERTH)
        return
      case 'restart':
        await this.#restart(act.awayMinutes * MINUTE_MS)
    }
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
    if (machineId === null) this.#queue.asked(user, this.#monotonicMs)
    this.#touch(user)
  }

  async #assign({ user, fixed, member }: Extract<Act, { do: 'assign' }>): Promise<void> {
    const { machine } = await this.engine.handingOut.assignments.assign(
      'p',
      user,
      { fixed, ...(member === null ? {} : { machine: `p-${member}` }) },
      BERTH,
      AbortSignal.abort(),
    )
    this.#byHand.add(user)
    const holding = this.#holdings.get(user)
    if (holding) Object.assign(holding, { fixed, idleMs: 0 })
    else this.#holdings.set(user, { machine, connected: false, idleMs: 0, begun: false, fixed })
  }

  async #permit(user: string, permitted: boolean): Promise<void> {
    await setGrant(this.engine.store, user, 'p', permitted)
    if (permitted) this.#permitted.add(user)
    else this.#permitted.delete(user)
    this.#queue.permit(user, permitted)
  }

  #pass(ms: number): void {
    this.#nowMs += ms
    this.#monotonicMs += ms
  }

  #touch(user: string): void {
    const holding = this.#holdings.get(user)
    if (holding) holding.idleMs = 0
  }

  async #withMachine(user: string, act: (machine: string) => Promise<void>): Promise<void> {
    const row = (await this.#rows()).find((one) => one.holder === `user:${user}`)
    if (row) await act(row.name)
  }

  /** A viewer comes to a desktop that its person may open now, or leaves. */
  async #connect(user: string, on: boolean): Promise<void> {
    const row = (await this.#rows()).find((one) => one.holder === `user:${user}`)
    const host = this.hosts.find((one) => one.name === row?.hypervisor)
    if (
      !row ||
      !host ||
      host.link?.status().state !== 'up' ||
      !host.domains.get(row.name)?.running ||
      row.unclean !== null ||
      row.wanted === 1
    )
      return
    if (on) host.viewers.set(row.name, ['10.1.1.1'])
    else host.viewers.delete(row.name)
    host.push(row.name, 'viewer')
    const holding = this.#holdings.get(user)
    if (holding && on !== holding.connected)
      Object.assign(holding, { connected: on, idleMs: 0, begun: true })
    if (on) this.#lastUse.set(row.name, { user, boot: bootOf(host, row.name) })
    await until(
      async () =>
        (await this.#rows()).find((one) => one.name === row.name)?.connected === (on ? 1 : 0),
      { withinMs: 5_000, everyMs: 2, what: 'the viewer is noted' },
    )
  }

  async #line(name: string, up: boolean): Promise<void> {
    const host = this.hosts.find((one) => one.name === name)
    host?.link?.setUp(up)
    await until(() => (host?.link?.status().state === 'up') === up, {
      withinMs: 2_000,
      everyMs: 1,
      what: 'the line follows',
    })
    if (up) await this.engine.observer.lookNow(name)
  }

  async #wait(ms: number, expected: Set<string>): Promise<void> {
    for (let left = ms; left > 0; left -= LOOK_MS) {
      const step = Math.min(LOOK_MS, left)
      this.#pass(step)
      for (const user of this.#queue.patient(this.#monotonicMs))
        await this.#claim(user, true).catch((error: unknown) => {
          if (!(error instanceof BrokerError)) throw error
        })
      for (const [user, holding] of this.#holdings) {
        const row = (await this.#rows()).find((one) => one.holder === `user:${user}`)
        if (row && row.name !== holding.machine && !holding.connected)
          Object.assign(holding, { machine: row.name, idleMs: 0, begun: false }) // he was given another one meanwhile
        const watched =
          this.hosts.find((host) => host.name === row?.hypervisor)?.link?.status().state === 'up'
        if (watched && !holding.connected) holding.idleMs += step
        if (isDue(holding)) expected.add(user) // due by now, or in this moment
      }
      for (const host of this.hosts)
        if (host.link?.status().state === 'up') await this.engine.observer.lookNow(host.name)
      await this.engine.handingOut.keeper.lookNow(true)
      await this.#check(expected)
    }
  }

  async #restart(awayMs: number): Promise<void> {
    const down = this.hosts.filter((host) => host.link?.status().state !== 'up')
    await this.engine.stop()
    this.#nowMs += awayMs
    this.engine = await this.#start(this.engine.directory)
    await until(() => this.hosts.every((host) => host.link?.status().state === 'up'), {
      withinMs: 5_000,
      everyMs: 1,
      what: 'the lines are up',
    })
    for (const host of this.hosts) await this.engine.observer.lookNow(host.name)
    for (const host of down) host.link?.setUp(false)
  }

  /**
   * Until nothing moves: no job runs, and two looks changed nothing. A job that waits for a host
   * that was cut is not waited for.
   */
  async #rest(): Promise<void> {
    for (let round = 0; round < 40; round += 1) {
      const before = JSON.stringify(await this.#world())
      await this.#idle()
      for (const host of this.hosts)
        if (host.link?.status().state === 'up') await this.engine.observer.lookNow(host.name)
      await this.engine.handingOut.keeper.lookNow(false)
      await this.#idle()
      if (JSON.stringify(await this.#world()) === before) return
    }
  }

  async #idle(): Promise<void> {
    if (this.hosts.every((host) => host.link?.status().state === 'up'))
      return await this.engine.idle(60_000)
    await this.engine.idle(30).catch(() => {})
  }

  async #world(): Promise<unknown> {
    return [
      await this.#rows(),
      await this.engine.store.selectFrom('desktop').selectAll().orderBy('machine_id').execute(),
      await this.engine.store
        .selectFrom('machine')
        .select(['name', 'power'])
        .orderBy('name')
        .execute(),
    ]
  }

  async #rows() {
    return await this.engine.store
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .leftJoin('desktop', 'desktop.machine_id', 'machine.id')
      .selectAll('assignment')
      .select([
        'machine.name',
        'machine.hypervisor',
        'machine.power',
        'desktop.state',
        'desktop.unclean',
      ])
      .where('assignment.pool_id', 'is not', null)
      .orderBy('machine.name')
      .execute()
  }

  #checkQueue(rows: ReadonlyArray<{ holder: string }>): void {
    this.faults.push(
      ...this.#queue.look(
        new Set(rows.map((row) => row.holder.slice('user:'.length))),
        this.#byHand,
        this.#permitted,
        this.#monotonicMs,
      ),
    )
    this.#byHand.clear()
  }

  /** What can be had is given to those who wait. */
  async #checkNobodyWaitsForNothing(): Promise<void> {
    const [waiting] = this.#queue.waiting(this.#monotonicMs)
    const up = this.hosts
      .filter((host) => host.link?.status().state === 'up')
      .map((host) => host.name)
    const free = await this.engine.store
      .selectFrom('pool_member')
      .select('name')
      .where('claimable', '>', 0)
      .where('hypervisor', 'in', [...up, ''])
      .executeTakeFirst()
    if (waiting !== undefined && free)
      this.faults.push(`${waiting} waits while ${free.name} is free`)
  }

  async #check(expected: Set<string>): Promise<void> {
    const rows = await this.#rows()
    const users = rows.map((row) => row.holder)
    if (new Set(users).size < users.length)
      this.faults.push('a person has two desktops of one pool')
    for (const row of rows.filter((one) => one.state !== 'assigned'))
      this.faults.push(`${row.name} is assigned and ${row.state ?? 'no desktop'}`)
    this.#checkQueue(rows)
    this.faults.push(...(await this.#named.faults(this.engine)))
    const lost = [...this.#holdings].filter(([user]) => !users.includes(`user:${user}`))
    for (const [user, holding] of lost) {
      if (!expected.has(user))
        this.faults.push(
          `${user} lost ${holding.machine}${holding.connected ? ' while connected' : ''} ` +
            `after ${holding.idleMs / MINUTE_MS} idle minutes`,
        )
      this.#holdings.delete(user)
      expected.delete(user) // what he is given next is another matter
    }
    for (const row of rows) this.#checkOne(row)
    const stray = await this.engine.store
      .selectFrom('desktop')
      .leftJoin('assignment', 'assignment.machine_id', 'desktop.machine_id')
      .select('desktop.machine_id')
      .where('desktop.state', '=', 'assigned')
      .where('assignment.machine_id', 'is', null)
      .execute()
    if (stray.length > 0) this.faults.push('a desktop counts as assigned and nobody has it')
  }

  #checkOne(row: {
    holder: string
    name: string
    hypervisor: string
    unclean: string | null
    wanted: number
    power: string
    fixed: number
  }): void {
    const user = row.holder.slice('user:'.length)
    const host = this.hosts.find((one) => one.name === row.hypervisor)
    const before = this.#holdings.get(user)
    if (before && before.machine !== row.name && before.begun && before.connected)
      this.faults.push(`${user} was moved from ${before.machine} to ${row.name} while connected`)
    if (!before || before.machine !== row.name)
      this.#holdings.set(user, {
        machine: row.name,
        connected: false,
        idleMs: 0,
        begun: false,
        fixed: before?.fixed ?? false,
      })
    if ((this.#holdings.get(user)?.fixed ?? false) !== (row.fixed === 1))
      this.faults.push(
        `${user} has ${row.name} ${row.fixed === 1 ? 'for good' : 'for a while only'}`,
      )
    const last = this.#lastUse.get(row.name)
    const open = host && row.unclean === null && row.wanted === 0 && row.power === 'running'
    if (open && last && last.user !== user && bootOf(host, row.name) <= last.boot)
      this.faults.push(`${user} has ${row.name} as ${last.user} left it`)
  }

  /** When all is mended and time goes by, every desktop is handed out, free or assigned again. */
  async settle(): Promise<void> {
    this.#failing.clear()
    for (const host of this.hosts) await this.#line(host.name, true)
    const expected = new Set(
      [...this.#holdings].filter(([, holding]) => !holding.fixed).map(([user]) => user),
    )
    for (let minutes = 0; minutes < 40; minutes += 5) {
      await this.#wait(5 * MINUTE_MS, expected)
      await this.#rest()
    }
    await this.#check(expected)
    const stuck = await this.engine.store
      .selectFrom('desktop')
      .innerJoin('machine', 'machine.id', 'desktop.machine_id')
      .select(['machine.name', 'desktop.state', 'desktop.reason'])
      .where('desktop.state', 'in', ['cleaning', 'building', 'deleting'])
      .execute()
    for (const one of stuck) this.faults.push(`${one.name} is ${one.state} for ever`)
  }

  /** Sabotage, to see that the checks see it: the desktop is free at once. */
  async forgetCleaning(user: string): Promise<void> {
    await this.#withMachine(user, async (machine) => {
      const row = await this.engine.store
        .selectFrom('machine')
        .select('id')
        .where('name', '=', machine)
        .executeTakeFirstOrThrow()
      await this.engine.store.deleteFrom('assignment').where('machine_id', '=', row.id).execute()
      await this.engine.store
        .updateTable('desktop')
        .set({ state: 'free', unclean: null })
        .where('machine_id', '=', row.id)
        .execute()
      await this.engine.store
        .updateTable('pool_member')
        .set({ claimable: 1 })
        .where('machine_id', '=', row.id)
        .execute()
    })
    this.#holdings.delete(user)
  }

  /** Sabotage: what one has is another one's. */
  async swap(from: string, to: string): Promise<void> {
    await this.engine.store
      .updateTable('assignment')
      .set({ holder: `user:${to}` })
      .where('holder', '=', `user:${from}`)
      .execute()
  }

  async end(): Promise<void> {
    await this.engine.remove()
  }
}

/** Its time is over, or is in this moment. */
function isDue({ connected, fixed, idleMs }: Holding): boolean {
  return !connected && !fixed && idleMs >= RETENTION_MS - LOOK_MS
}

function bootOf(host: SimulatedHost, machine: string): number {
  return host.domains.get(machine)?.boots ?? 0
}
