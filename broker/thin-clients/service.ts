import { EventEmitter } from 'node:events'
import type { Logger } from 'pino'
import { type AskAnswer, type AskRequest, DEFAULT_VIEWER_OPTIONS, type ReportAnswer, type ReportRequest, type ThinClient } from '../api/thin-clients.js'
import { type Actor, recordEvent } from '../audit/store.js'
import type { Claims } from '../assignments/claims.js'
import type { Assignments } from '../assignments/service.js'
import type { Consoles } from '../consoles/service.js'
import { BrokerError } from '../errors.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Observer } from '../machines/observer.js'
import type { Machines } from '../machines/service.js'
import { requireMachine } from '../machines/store.js'
import type { Pools } from '../pools/service.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import type { Permissions } from '../users/permissions.js'
import type { Providers } from '../users/providers.js'
import type { Users } from '../users/service.js'
import type { ClientsXmlFile } from './clients-file.js'
import type { ClientEntry, LoginTarget } from './clients-xml.js'
import { DeviceCodes } from './device-codes.js'
import { DeviceLogins } from './device-logins.js'
import { deviceByKey, identify, type Networks, provenMacs } from './identity.js'
import { entryFor } from './match.js'
import { noteRdpInUse, noticeFor } from './notices.js'
import { type Opened, type Opener, Opening } from './opening.js'
import { PersonDesktops } from './person-desktops.js'
import { askAgainMs, markOf } from './policy.js'

export interface ThinClientsDeps {
  readonly store: Store, readonly hypervisors: Hypervisors, readonly observer: Observer, readonly machines: Machines, readonly assignments: Assignments, readonly claims: Claims, readonly pools: Pools, readonly jobs: JobRunner
  readonly clientsXml: ClientsXmlFile
  readonly consoles: Consoles, readonly users: Users, readonly providers: Providers, readonly permissions: Permissions
  readonly networks: Networks
  readonly horizonServer: string
  /** A person's login at a device that shows no desktop ends after this time. */
  readonly loginIdleMs: number
  readonly log: Logger
}

/** What a device was last told, for the administrator; in memory, since it changes all the time. */
interface Seen { state: AskAnswer['state'], sentence: string, machine: string | null, showing: string | null, note: string, lastSeenMs: number, address: string, version: string, hostname: string }
interface Question { readonly request: AskRequest, readonly key: string | null, readonly address: string }

/** From where a device asks, and how it shows which one it is. */
export interface Place { readonly macs: readonly string[], readonly key: string | null, readonly address: string }

const FLUSH_EVERY_MS = 60_000
/** Jitter on the end of a long poll, so that devices that were switched on together do not stay together. */
const POLL_JITTER = 0.2

/** What should this thin client do now? */
export class ThinClients {
  readonly #seen = new Map<string, Seen>()
  readonly #entries = new Map<string, ClientEntry | null>()
  readonly logins: DeviceLogins
  readonly codes: DeviceCodes
  readonly desktops: PersonDesktops
  readonly #opening: Opening
  /** `machine:ID`, `pool:ID`, `hypervisor:NAME`, `device:ID`, `clients-xml`: whoever waits for a change of these. */
  readonly #changes = new EventEmitter().setMaxListeners(0)
  #version = 0
  #stopping = false
  #timer: NodeJS.Timeout | undefined

  constructor (readonly deps: ThinClientsDeps) {
    const console: Consoles['spiceConsole'] = async (machine, asker) => await deps.consoles.spiceConsole(machine, asker)
    this.#opening = new Opening({ ...deps, console }, (machineId) => { this.#tell(`machine:${machineId}`) })
    this.logins = new DeviceLogins({ ...deps, idleMs: deps.loginIdleMs, now: Date.now }, (deviceId) => { this.#tell(`device:${deviceId}`) })
    this.codes = new DeviceCodes({ ...deps, limits: deps.users.limits, now: Date.now })
    this.desktops = new PersonDesktops({ ...deps, logins: this.logins, codes: this.codes, opening: this.#opening })
  }

  start (): void {
    const { observer, hypervisors, clientsXml, jobs, claims, pools } = this.deps
    jobs.on('released', (machineIds) => { for (const id of machineIds) this.#tell(`machine:${id}`) })
    observer.on('power', (id) => { this.#tell(`machine:${id}`) })
    observer.on('viewers', (id) => { this.#tell(`machine:${id}`) })
    this.deps.consoles.on('watched', (id) => { this.#tell(`machine:${id}`) })
    claims.on('changed', (id) => { this.#tell(`machine:${id}`) })
    claims.on('freed', (poolId) => { this.#tell(`pool:${poolId}`) })
    pools.on('change', (poolId) => { this.#tell(`pool:${poolId}`) })
    hypervisors.on('change', (name) => { this.#tell(`hypervisor:${name}`) })
    clientsXml.on('reload', () => {
      this.#entries.clear()
      this.#tell('clients-xml')
    })
    this.logins.start()
    this.#timer = setInterval(() => { void this.#flushLastSeen() }, FLUSH_EVERY_MS)
  }

  async stop (): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping = true
    this.#tell('clients-xml')
    await this.logins.stop()
    await this.#flushLastSeen()
  }

  /** Answers at once when something is new for the device, else when it becomes so, at the latest after `waitMs`. */
  async ask (question: Question, signal: AbortSignal): Promise<AskAnswer> {
    const until = performance.now() + (question.request.waitMs ?? 0) * (1 - Math.random() * POLL_JITTER)
    if (question.request.ended === true) await this.#noteEnded({ ...question, macs: question.request.macs })
    for (;;) {
      this.#refuseStopping()
      const versionBefore = this.#version
      const { answer, wakers, lookAgainMs } = await this.#answer(question)
      const left = until - performance.now()
      if (answer.mark !== question.request.have || answer.state === 'ready' || answer.deviceKey !== undefined || left <= 0 || signal.aborted) return answer
      if (this.#version === versionBefore) await this.#untilChange(wakers, Math.min(left, lookAgainMs ?? left), signal) // else something changed while we looked
    }
  }

  #tell (what: string): void {
    this.#version += 1
    this.#changes.emit(what)
  }

  /** Notes what the device shows. With `waitMs` it is answered when there is another notice for it, at the latest after that time. */
  async report (place: Place, report: ReportRequest, signal: AbortSignal): Promise<ReportAnswer> {
    const device = await this.deviceAt(place)
    const seen = this.#seen.get(device.id)
    if (seen) Object.assign(seen, { showing: report.showing === null ? null : `${report.showing.title} (${report.showing.protocol})`, note: report.note ?? '', lastSeenMs: Date.now() })
    await this.logins.noteShown(device.id)
    const until = performance.now() + (report.waitMs ?? 0) * (1 - Math.random() * POLL_JITTER)
    for (;;) {
      this.#refuseStopping()
      const versionBefore = this.#version
      await noteRdpInUse(this.deps, device, report.showing)
      const { wakers, ...answer } = await noticeFor({ ...this.deps, logins: this.logins }, device, report.showing)
      const left = until - performance.now()
      if (answer.over !== null || (answer.notice?.id ?? '') !== (report.have ?? '') || left <= 0 || signal.aborted) return answer
      if (this.#version === versionBefore) await this.#untilChange([...wakers, `device:${device.id}`, 'clients-xml'], left, signal)
    }
  }

  /** The device that shows its key. Throws `device_unknown`. */
  async deviceAt ({ macs, key, address }: Place): Promise<ThinClientRow> {
    const device = await deviceByKey(this.deps.store, macs, key)
    if (!device) throw new BrokerError('device_unknown', 'This device does not show its key: ask first what to do.')
    return { ...device, address }
  }

  /** The same, at which people may log in. Throws also `invalid_request`. */
  async loginPlace (place: Place): Promise<{ device: ThinClientRow, target: LoginTarget }> {
    const device = await this.deviceAt(place)
    const entry = this.#entryOf(device, await provenMacs(this.deps.store, device, place.macs), this.#seen.get(device.id)?.hostname ?? device.hostname, place.address)
    const target = entry?.targets.find((one) => one.protocol === 'login')
    if (!target) throw new BrokerError('invalid_request', 'Nobody logs in at this device: clients.xml has no target LOGIN for it.')
    return { device, target }
  }

  async #noteEnded (place: Place): Promise<void> {
    const device = await deviceByKey(this.deps.store, place.macs, place.key)
    if (device) await this.logins.end(device.id, 'The desktop was closed.', { actor: `thin-client:${device.mac}`, address: place.address })
  }

  #refuseStopping (): void {
    if (this.#stopping) throw new BrokerError('shutting_down', 'The broker is stopping: ask again in a few seconds.')
  }

  async list (): Promise<ThinClient[]> {
    const rows = await this.deps.store.selectFrom('thin_client').leftJoin('machine', 'machine.id', 'thin_client.assigned_machine_id').selectAll('thin_client').select('machine.name as assigned').orderBy('thin_client.mac').execute()
    const people = await this.logins.names()
    return rows.map((row) => this.#toApi(row, row.assigned, people.get(row.id) ?? null))
  }

  async assign (id: string, machineName: string | null, by: Actor): Promise<ThinClient> {
    const machine = machineName === null ? null : await requireMachine(this.deps.store, machineName)
    return await this.#change(id, { assigned_machine_id: machine?.id ?? null }, by, 'thin-client.assign', { machine: machineName })
  }

  /** Forgets its key: the next device that asks with this MAC gets a new one. */
  async accept (id: string, by: Actor): Promise<ThinClient> {
    return await this.#change(id, { accepted: 1, key_hash: null, note: '' }, by, 'thin-client.accept', {})
  }

  async remove (id: string, by: Actor): Promise<void> {
    const row = await this.#row(id)
    await this.logins.end(id, 'This device was removed.', by)
    await this.deps.store.transaction().execute(async (tx) => {
      await tx.deleteFrom('thin_client').where('id', '=', id).execute()
      await tx.deleteFrom('assignment').where('holder', '=', `thin-client:${id}`).where('pool_id', 'is', null).execute()
      await recordEvent(tx, by, 'thin-client.remove', `thin-client:${id}`, { mac: row.mac })
    })
    this.#seen.delete(id)
  }

  async #answer ({ request, key, address }: Question): Promise<{ answer: AskAnswer, wakers: string[], lookAgainMs?: number | undefined }> {
    const identity = await identify(this.deps.store, this.deps.networks, { macs: request.macs, key, address, hostname: request.hostname, version: request.version })
    const device = identity.device
    const wakers = ['clients-xml', ...(device ? [`device:${device.id}`] : [])]
    if (!identity.known) {
      if (device) this.#see(device, { request, key, address }, 'unknown', identity.sentence, null)
      return { answer: this.#toAnswer(device?.id ?? '', 'unknown', identity.sentence), wakers }
    }
    const entry = this.#entryOf(identity.device, await provenMacs(this.deps.store, identity.device, request.macs), request.hostname, address)
    const assigned = identity.device.assigned_machine_id === null ? null : await this.deps.store.selectFrom('machine').select('name').where('id', '=', identity.device.assigned_machine_id).executeTakeFirst()
    const targets = [...(assigned ? [{ protocol: 'spice' as const, machine: assigned.name }] : []), ...entry?.targets ?? []]
    const opened = await this.#open(targets, { ...identity.device, address })
    wakers.push(...opened.wakers)
    const { ways, choices, person, console } = opened
    const answer = { ...this.#toAnswer(identity.device.id, opened.state, opened.sentence, { ways, choices, person }), ...(console ? { console } : {}), ...(person === undefined ? {} : { person }), ...(ways ? { ways } : {}), ...(choices ? { choices } : {}) }
    this.#see(identity.device, { request, key, address }, answer.state, answer.sentence, opened.machine?.name ?? null)
    return { wakers, lookAgainMs: opened.lookAgainMs, answer: { ...answer, ...(identity.newKey === null ? {} : { deviceKey: identity.newKey }), ...(answer.state === 'ready' ? { viewer: entry?.viewer ?? DEFAULT_VIEWER_OPTIONS } : {}) } }
  }

  /** The device's own desktop, or that of the person who is logged in at it. */
  async #open (targets: ClientEntry['targets'], device: ThinClientRow): Promise<Opened> {
    const opener: Opener = { holder: `thin-client:${device.id}`, actor: { actor: `thin-client:${device.mac}`, address: device.address }, asker: { kind: 'device', name: device.mac, address: device.address }, may: async () => true }
    const opened = await this.#opening.open(targets, opener)
    if (!opened.login) return opened
    const his = await this.desktops.open(opened.login.pools, device)
    return { ...his, wakers: [...opened.wakers, ...his.wakers] }
  }

  #toAnswer (device: string, state: AskAnswer['state'], sentence: string, more: unknown = null): AskAnswer {
    return { state, sentence, device, askAgainMs: askAgainMs(state), mark: markOf(state, sentence, more), brokerTimeMs: Date.now() }
  }

  #entryOf (device: ThinClientRow, macs: readonly string[], hostname: string, address: string): ClientEntry | null {
    const key = `${device.id} ${address} ${hostname} ${macs.join()}`
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const entry = entryFor(this.deps.clientsXml.current, { macs, address, hostname })
    this.#entries.set(key, entry)
    return entry
  }

  async #untilChange (wakers: readonly string[], withinMs: number, signal: AbortSignal): Promise<void> {
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

  #see (device: ThinClientRow, { request, address }: Question, state: AskAnswer['state'], sentence: string, machine: string | null): void {
    const note = request.note ?? (device.note || '')
    this.#seen.set(device.id, { state, sentence, machine, note, showing: null, lastSeenMs: Date.now(), address, version: request.version, hostname: request.hostname })
  }

  async #flushLastSeen (): Promise<void> {
    await this.deps.store.transaction().execute(async (tx) => {
      for (const [id, seen] of this.#seen) {
        await tx.updateTable('thin_client').set({ last_seen: seen.lastSeenMs, address: seen.address, version: seen.version, hostname: seen.hostname }).where('id', '=', id).where('last_seen', '<', seen.lastSeenMs).execute()
      }
    })
  }

  async #row (id: string): Promise<ThinClientRow> {
    const row = await this.deps.store.selectFrom('thin_client').selectAll().where('id', '=', id).executeTakeFirst()
    if (!row) throw new BrokerError('not_found', `There is no thin client ${id}: "berth thin-client list" shows all.`)
    return row
  }

  async #change (id: string, change: Partial<ThinClientRow>, by: Actor, action: string, detail: unknown): Promise<ThinClient> {
    await this.#row(id)
    await this.deps.store.transaction().execute(async (tx) => {
      await tx.updateTable('thin_client').set(change).where('id', '=', id).execute()
      await recordEvent(tx, by, action, `thin-client:${id}`, detail)
    })
    this.#tell(`device:${id}`)
    const found = (await this.list()).find((client) => client.id === id)
    if (!found) throw new BrokerError('not_found', `The thin client ${id} was removed meanwhile.`)
    return found
  }

  #toApi (row: ThinClientRow, assigned: string | null, person: string | null): ThinClient {
    const seen = this.#seen.get(row.id)
    return {
      id: row.id, mac: row.mac, address: seen?.address ?? row.address, hostname: seen?.hostname ?? row.hostname, version: seen?.version ?? row.version,
      state: seen?.state ?? 'unknown', sentence: seen?.sentence ?? 'It has not asked since the broker started.', machine: seen?.machine ?? null, assigned, person, accepted: row.accepted === 1,
      showing: seen?.showing ?? null, note: [seen?.note, row.note].filter(Boolean).join(' '), firstSeen: new Date(row.first_seen).toISOString(), lastSeen: new Date(Math.max(row.last_seen, seen?.lastSeenMs ?? 0)).toISOString(),
    }
  }
}

