import { EventEmitter } from 'node:events'
import type { Logger } from 'pino'
import {
  type AskAnswer,
  type AskRequest,
  DEFAULT_VIEWER_OPTIONS,
  type DeviceEffect,
  type ReportAnswer,
  type ReportRequest,
} from '../api/thin-clients.js'
import type { Claims } from '../assignments/claims.js'
import type { Assignments } from '../assignments/service.js'
import type { Consoles } from '../consoles/service.js'
import { BrokerError } from '../errors.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Observer } from '../machines/observer.js'
import type { Machines } from '../machines/service.js'
import type { Pools } from '../pools/service.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import type { Permissions } from '../users/permissions.js'
import type { Providers } from '../users/providers.js'
import type { Users } from '../users/service.js'
import type { ClientsXmlFile } from './clients-file.js'
import type { ClientEntry, ClientsFile, LoginTarget, Target } from './clients-xml.js'
import { DeviceCodes } from './device-codes.js'
import { DeviceLogins } from './device-logins.js'
import { Devices } from './devices.js'
import { effectsOf, inWords } from './effects.js'
import { deviceByKey, identify, type Networks, provenMacs } from './identity.js'
import { entryFor } from './match.js'
import { noteRdpInUse, noticeFor } from './notices.js'
import { type Opened, type Opener, Opening } from './opening.js'
import { Orders } from './orders.js'
import { PersonDesktops } from './person-desktops.js'
import { askAgainMs, markOf } from './policy.js'
import { SeenDevices } from './seen.js'

export interface ThinClientsDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly machines: Machines
  readonly assignments: Assignments
  readonly claims: Claims
  readonly pools: Pools
  readonly jobs: JobRunner
  readonly clientsXml: ClientsXmlFile
  readonly consoles: Consoles
  readonly users: Users
  readonly providers: Providers
  readonly permissions: Permissions
  readonly networks: Networks
  readonly horizonServer: string
  /** A person's login at a device that shows no desktop ends after this time. */
  readonly loginIdleMs: number
  /** What is seen of the devices has changed. */
  readonly onSeen: () => void
  readonly log: Logger
}

interface Question {
  readonly request: AskRequest
  readonly key: string | null
  readonly address: string
}

/** From where a device asks, and how it shows which one it is. */
export interface Place {
  readonly macs: readonly string[]
  readonly key: string | null
  readonly address: string
}

const FLUSH_EVERY_MS = 60_000
/** Jitter on the end of a long poll, so that devices that were switched on together do not stay together. */
const POLL_JITTER = 0.2

/** What should this thin client do now? */
export class ThinClients {
  readonly #entries = new Map<string, ClientEntry | null>()
  readonly logins: DeviceLogins
  readonly codes: DeviceCodes
  readonly desktops: PersonDesktops
  readonly devices: Devices
  readonly orders: Orders
  readonly #seen: SeenDevices
  readonly #opening: Opening
  /** `machine:ID`, `pool:ID`, `hypervisor:NAME`, `device:ID`, `clients-xml`: whoever waits for a change of these. */
  readonly #changes = new EventEmitter().setMaxListeners(0)
  #version = 0
  #stopping = false
  #timer: NodeJS.Timeout | undefined

  constructor(readonly deps: ThinClientsDeps) {
    const console: Consoles['spiceConsole'] = async (machine, asker) =>
      await deps.consoles.spiceConsole(machine, asker)
    this.#opening = new Opening({ ...deps, console }, (machineId) => {
      this.#tell(`machine:${machineId}`)
    })
    this.logins = new DeviceLogins(
      { ...deps, idleMs: deps.loginIdleMs, now: Date.now },
      (deviceId) => {
        this.#tell(`device:${deviceId}`)
      },
    )
    this.codes = new DeviceCodes({ ...deps, limits: deps.users.limits, now: Date.now })
    this.desktops = new PersonDesktops({
      ...deps,
      logins: this.logins,
      codes: this.codes,
      opening: this.#opening,
    })
    this.#seen = new SeenDevices(deps.store, deps.onSeen)
    const tell = (deviceId: string): void => {
      this.#tell(`device:${deviceId}`)
    }
    this.orders = new Orders({ store: deps.store, tell, now: Date.now })
    this.devices = new Devices({
      ...deps,
      tell,
      seen: this.#seen,
      orders: this.orders,
      logins: this.logins,
      gets: async (device) => await this.#gets(device),
    })
  }

  start(): void {
    const { observer, hypervisors, clientsXml, jobs, claims, pools } = this.deps
    jobs.on('released', (machineIds) => {
      for (const id of machineIds) this.#tell(`machine:${id}`)
    })
    observer.on('power', (id) => {
      this.#tell(`machine:${id}`)
    })
    observer.on('viewers', (id) => {
      this.#tell(`machine:${id}`)
    })
    this.deps.consoles.on('watched', (id) => {
      this.#tell(`machine:${id}`)
    })
    claims.on('changed', (id) => {
      this.#tell(`machine:${id}`)
    })
    claims.on('freed', (poolId) => {
      this.#tell(`pool:${poolId}`)
    })
    pools.on('change', (poolId) => {
      this.#tell(`pool:${poolId}`)
    })
    hypervisors.on('change', (name) => {
      this.#tell(`hypervisor:${name}`)
    })
    clientsXml.on('reload', () => {
      this.#entries.clear()
      this.#tell('clients-xml')
    })
    this.logins.start()
    void this.orders.start()
    this.#timer = setInterval(() => {
      void this.#seen.flush()
    }, FLUSH_EVERY_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping = true
    this.#tell('clients-xml')
    this.orders.stop()
    this.#seen.stop()
    await this.logins.stop()
    await this.#seen.flush()
  }

  /** Answers at once when something is new for the device, else when it becomes so, at the latest after `waitMs`. */
  async ask(question: Question, signal: AbortSignal): Promise<AskAnswer> {
    const until =
      performance.now() + (question.request.waitMs ?? 0) * (1 - Math.random() * POLL_JITTER)
    if (question.request.ended === true)
      await this.#noteEnded({ ...question, macs: question.request.macs })
    let letGo: (() => void) | undefined
    try {
      for (;;) {
        this.#refuseStopping()
        const versionBefore = this.#version
        const { answer, wakers, known, lookAgainMs } = await this.#answer(question)
        if (answer.device !== '') letGo ??= this.#seen.hold(answer.device)
        const order = known
          ? await this.orders.next(
              { id: answer.device },
              question.request.version,
              question.request.orders ?? [],
            )
          : null
        if (order) return { ...answer, order }
        const left = until - performance.now()
        if (
          answer.mark !== question.request.have ||
          answer.state === 'ready' ||
          answer.deviceKey !== undefined ||
          left <= 0 ||
          signal.aborted
        )
          return answer
        if (this.#version === versionBefore)
          await this.#untilChange(wakers, Math.min(left, lookAgainMs ?? left), signal) // else something changed while we looked
      }
    } finally {
      letGo?.()
    }
  }

  #tell(what: string): void {
    this.#version += 1
    this.#changes.emit(what)
  }

  /** Notes what the device shows. With `waitMs` it is answered when there is another notice for it, at the latest after that time. */
  async report(place: Place, report: ReportRequest, signal: AbortSignal): Promise<ReportAnswer> {
    const device = await this.deviceAt(place)
    this.#seen.reported(
      device,
      report.showing === null ? null : `${report.showing.title} (${report.showing.protocol})`,
      report.note ?? '',
    )
    await this.logins.noteShown(device.id)
    const until = performance.now() + (report.waitMs ?? 0) * (1 - Math.random() * POLL_JITTER)
    const letGo = this.#seen.hold(device.id)
    try {
      for (;;) {
        this.#refuseStopping()
        const versionBefore = this.#version
        await noteRdpInUse(this.deps, device, report.showing)
        const { wakers, ...answer } = await noticeFor(
          { ...this.deps, logins: this.logins },
          device,
          report.showing,
        )
        // Who says that it shows nothing any more asks next; nobody reads what is answered to that.
        const order =
          report.showing === null
            ? null
            : await this.orders.next(device, device.version, report.orders ?? [])
        if (order) return { ...answer, order }
        const left = until - performance.now()
        if (
          answer.over !== null ||
          (answer.notice?.id ?? '') !== (report.have ?? '') ||
          left <= 0 ||
          signal.aborted
        )
          return answer
        if (this.#version === versionBefore)
          await this.#untilChange([...wakers, `device:${device.id}`, 'clients-xml'], left, signal)
      }
    } finally {
      letGo()
    }
  }

  /** The device that shows its key. Throws `device_unknown`. */
  async deviceAt({ macs, key, address }: Place): Promise<ThinClientRow> {
    const device = await deviceByKey(this.deps.store, macs, key)
    if (!device)
      throw new BrokerError(
        'device_unknown',
        'This device does not show its key: ask first what to do.',
      )
    return { ...device, address }
  }

  /** The same, at which people may log in. Throws also `invalid_request`. */
  async loginPlace(place: Place): Promise<{ device: ThinClientRow; target: LoginTarget }> {
    const device = await this.deviceAt(place)
    const entry = this.#entryOf(
      device,
      await provenMacs(this.deps.store, device, place.macs),
      this.#seen.of(device.id)?.hostname ?? device.hostname,
      place.address,
    )
    const target = entry?.targets.find((one) => one.protocol === 'login')
    if (!target)
      throw new BrokerError(
        'invalid_request',
        'Nobody logs in at this device: clients.xml has no target LOGIN for it.',
      )
    return { device, target }
  }

  async #noteEnded(place: Place): Promise<void> {
    const device = await deviceByKey(this.deps.store, place.macs, place.key)
    if (device)
      await this.logins.end(device.id, 'The desktop was closed.', {
        actor: `thin-client:${device.mac}`,
        address: place.address,
      })
  }

  #refuseStopping(): void {
    if (this.#stopping)
      throw new BrokerError('shutting_down', 'The broker is stopping: ask again in a few seconds.')
  }

  /** Which of the devices that were seen would get something else by this file than by the one in force. */
  async effects(then: ClientsFile): Promise<DeviceEffect[]> {
    const rows = await this.deps.store
      .selectFrom('thin_client')
      .selectAll()
      .where('accepted', '=', 1)
      .orderBy('mac')
      .execute()
    const seekers = await Promise.all(
      rows.map(async (row) => {
        const seen = this.#seen.of(row.id)
        return {
          id: row.id,
          mac: row.mac,
          macs: [row.mac],
          hostname: seen?.hostname ?? row.hostname,
          address: seen?.address ?? row.address,
          own:
            row.assigned_machine_id === null && row.assigned_pool_id === null
              ? []
              : await this.#own(row),
        }
      }),
    )
    return effectsOf(seekers, this.deps.clientsXml.current, then)
  }

  /** What the administrator has given to the device itself: this goes before clients.xml. */
  async #own(device: ThinClientRow): Promise<Target[]> {
    const { store } = this.deps
    const machine =
      device.assigned_machine_id === null
        ? undefined
        : await store
            .selectFrom('machine')
            .select('name')
            .where('id', '=', device.assigned_machine_id)
            .executeTakeFirst()
    const pool =
      device.assigned_pool_id === null
        ? undefined
        : await store
            .selectFrom('pool')
            .select('name')
            .where('id', '=', device.assigned_pool_id)
            .executeTakeFirst()
    return [
      ...(machine ? [{ protocol: 'spice' as const, machine: machine.name }] : []),
      ...(pool ? [{ protocol: 'pool' as const, pool: pool.name }] : []),
    ]
  }

  async #gets(device: ThinClientRow): Promise<string[]> {
    const seen = this.#seen.of(device.id)
    const entry = this.#entryOf(
      device,
      [device.mac],
      seen?.hostname ?? device.hostname,
      seen?.address ?? device.address,
    )
    return [...(await this.#own(device)), ...(entry?.targets ?? [])].map(inWords)
  }

  async #answer({
    request,
    key,
    address,
  }: Question): Promise<{
    answer: AskAnswer
    wakers: string[]
    known: boolean
    lookAgainMs?: number | undefined
  }> {
    const identity = await identify(this.deps.store, this.deps.networks, {
      macs: request.macs,
      key,
      address,
      hostname: request.hostname,
      version: request.version,
    })
    const device = identity.device
    const wakers = ['clients-xml', ...(device ? [`device:${device.id}`] : [])]
    if (!identity.known) {
      if (device)
        this.#seen.asked(device, request, address, {
          state: 'unknown',
          sentence: identity.sentence,
          machine: null,
        })
      return {
        answer: this.#toAnswer(device?.id ?? '', 'unknown', identity.sentence),
        wakers,
        known: false,
      }
    }
    const entry = this.#entryOf(
      identity.device,
      await provenMacs(this.deps.store, identity.device, request.macs),
      request.hostname,
      address,
    )
    const targets = [...(await this.#own(identity.device)), ...(entry?.targets ?? [])]
    const opened = await this.#open(targets, { ...identity.device, address })
    wakers.push(...opened.wakers)
    const { ways, choices, person, console } = opened
    const answer = {
      ...this.#toAnswer(identity.device.id, opened.state, opened.sentence, {
        ways,
        choices,
        person,
      }),
      ...(console ? { console } : {}),
      ...(person === undefined ? {} : { person }),
      ...(ways ? { ways } : {}),
      ...(choices ? { choices } : {}),
    }
    this.#seen.asked(identity.device, request, address, {
      state: answer.state,
      sentence: answer.sentence,
      machine: opened.machine?.name ?? null,
    })
    return {
      wakers,
      known: true,
      lookAgainMs: opened.lookAgainMs,
      answer: {
        ...answer,
        ...(identity.newKey === null ? {} : { deviceKey: identity.newKey }),
        ...(answer.state === 'ready' ? { viewer: entry?.viewer ?? DEFAULT_VIEWER_OPTIONS } : {}),
      },
    }
  }

  /** The device's own desktop, or that of the person who is logged in at it. */
  async #open(targets: ClientEntry['targets'], device: ThinClientRow): Promise<Opened> {
    const opener: Opener = {
      holder: `thin-client:${device.id}`,
      actor: { actor: `thin-client:${device.mac}`, address: device.address },
      asker: { kind: 'device', name: device.mac, address: device.address },
      may: async () => true,
    }
    const opened = await this.#opening.open(targets, opener)
    if (!opened.login) return opened
    const his = await this.desktops.open(opened.login.pools, device)
    return { ...his, wakers: [...opened.wakers, ...his.wakers] }
  }

  #toAnswer(
    device: string,
    state: AskAnswer['state'],
    sentence: string,
    more: unknown = null,
  ): AskAnswer {
    return {
      state,
      sentence,
      device,
      askAgainMs: askAgainMs(state),
      mark: markOf(state, sentence, more),
      brokerTimeMs: Date.now(),
    }
  }

  #entryOf(
    device: ThinClientRow,
    macs: readonly string[],
    hostname: string,
    address: string,
  ): ClientEntry | null {
    const key = `${device.id} ${address} ${hostname} ${macs.join()}`
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const entry = entryFor(this.deps.clientsXml.current, { macs, address, hostname })
    this.#entries.set(key, entry)
    return entry
  }

  async #untilChange(
    wakers: readonly string[],
    withinMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        for (const waker of wakers) this.#changes.off(waker, done)
        resolve()
      }
      const timer = setTimeout(done, withinMs)
      signal.addEventListener('abort', done)
      for (const waker of wakers) this.#changes.on(waker, done)
    })
  }
}
