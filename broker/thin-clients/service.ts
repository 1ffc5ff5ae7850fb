import { EventEmitter } from 'node:events'
import type { Logger } from 'pino'
import type { AskAnswer, AskRequest, ReportRequest, ThinClient } from '../api/thin-clients.js'
import { type Actor, recordEvent } from '../audit/store.js'
import type { Claims } from '../assignments/claims.js'
import type { Assignments } from '../assignments/service.js'
import { BrokerError } from '../errors.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Observer } from '../machines/observer.js'
import type { Machines } from '../machines/service.js'
import { requireMachine } from '../machines/store.js'
import type { SpiceConsole } from '../api/machines.js'
import type { Pools } from '../pools/service.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import type { ClientsXmlFile } from './clients-file.js'
import type { ClientEntry } from './clients-xml.js'
import { deviceByKey, identify, type Networks, provenMacs } from './identity.js'
import { entryFor } from './match.js'
import { Opening } from './opening.js'
import { askAgainMs, markOf } from './policy.js'
import { DEFAULT_VIEWER_OPTIONS } from '../api/thin-clients.js'

export interface ThinClientsDeps {
  readonly store: Store, readonly hypervisors: Hypervisors, readonly observer: Observer, readonly machines: Machines, readonly assignments: Assignments, readonly claims: Claims, readonly pools: Pools, readonly jobs: JobRunner
  readonly clientsXml: ClientsXmlFile
  readonly console: (machine: { id: string, name: string, hypervisor: string }, device: { mac: string, address: string }) => Promise<SpiceConsole>
  readonly networks: Networks
  readonly horizonServer: string
  readonly log: Logger
}

/** What a device was last told, for the administrator; in memory, since it changes all the time. */
interface Seen { state: AskAnswer['state'], sentence: string, machine: string | null, showing: string | null, note: string, lastSeenMs: number, address: string, version: string, hostname: string }
interface Question { readonly request: AskRequest, readonly key: string | null, readonly address: string }

const FLUSH_EVERY_MS = 60_000
/** Jitter on the end of a long poll, so that devices that were switched on together do not stay together. */
const POLL_JITTER = 0.2

/** What should this thin client do now? */
export class ThinClients {
  readonly #seen = new Map<string, Seen>()
  readonly #entries = new Map<string, ClientEntry | null>()
  readonly #opening: Opening
  /** `machine:ID`, `pool:ID`, `hypervisor:NAME`, `device:ID`, `clients-xml`: whoever waits for a change of these. */
  readonly #changes = new EventEmitter().setMaxListeners(0)
  #version = 0
  #stopping = false
  #timer: NodeJS.Timeout | undefined

  constructor (readonly deps: ThinClientsDeps) {
    this.#opening = new Opening({ ...deps, onChange: (machineId) => { this.#tell(`machine:${machineId}`) } })
  }

  start (): void {
    const { observer, hypervisors, clientsXml, jobs, claims, pools } = this.deps
    jobs.on('released', (machineIds) => { for (const id of machineIds) this.#tell(`machine:${id}`) })
    observer.on('power', (id) => { this.#tell(`machine:${id}`) })
    observer.on('viewers', (id) => { this.#tell(`machine:${id}`) })
    claims.on('changed', (id) => { this.#tell(`machine:${id}`) })
    claims.on('freed', (poolId) => { this.#tell(`pool:${poolId}`) })
    pools.on('change', (poolId) => { this.#tell(`pool:${poolId}`) })
    hypervisors.on('change', (name) => { this.#tell(`hypervisor:${name}`) })
    clientsXml.on('reload', () => {
      this.#entries.clear()
      this.#tell('clients-xml')
    })
    this.#timer = setInterval(() => { void this.#flushLastSeen() }, FLUSH_EVERY_MS)
  }

  async stop (): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping = true
    this.#tell('clients-xml')
    await this.#flushLastSeen()
  }

  /** Answers at once when something is new for the device, else when it becomes so, at the latest after `waitMs`. */
  async ask (question: Question, signal: AbortSignal): Promise<AskAnswer> {
    const until = performance.now() + (question.request.waitMs ?? 0) * (1 - Math.random() * POLL_JITTER)
    for (;;) {
      if (this.#stopping) throw new BrokerError('shutting_down', 'The broker is stopping: ask again in a few seconds.')
      const versionBefore = this.#version
      const { answer, wakers } = await this.#answer(question)
      const left = until - performance.now()
      if (answer.mark !== question.request.have || answer.state === 'ready' || answer.deviceKey !== undefined || left <= 0 || signal.aborted) return answer
      if (this.#version === versionBefore) await this.#untilChange(wakers, left, signal) // else something changed while we looked
    }
  }

  #tell (what: string): void {
    this.#version += 1
    this.#changes.emit(what)
  }

  async report (question: { macs: readonly string[], key: string | null, address: string }, report: ReportRequest): Promise<void> {
    const device = await deviceByKey(this.deps.store, question.macs, question.key)
    if (!device) throw new BrokerError('device_unknown', 'This device does not show its key: ask first what to do.')
    const seen = this.#seen.get(device.id)
    if (!seen) return
    seen.showing = report.showing === null ? null : `${report.showing.title} (${report.showing.protocol})`
    seen.note = report.note ?? ''
    seen.lastSeenMs = Date.now()
  }

  async list (): Promise<ThinClient[]> {
    const rows = await this.deps.store.selectFrom('thin_client').leftJoin('machine', 'machine.id', 'thin_client.assigned_machine_id').selectAll('thin_client').select('machine.name as assigned').orderBy('thin_client.mac').execute()
    return rows.map((row) => this.#toApi(row, row.assigned))
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
    await this.deps.store.transaction().execute(async (tx) => {
      await tx.deleteFrom('thin_client').where('id', '=', id).execute()
      await tx.deleteFrom('assignment').where('holder', '=', `thin-client:${id}`).where('pool_id', 'is', null).execute()
      await recordEvent(tx, by, 'thin-client.remove', `thin-client:${id}`, { mac: row.mac })
    })
    this.#seen.delete(id)
  }

  async #answer ({ request, key, address }: Question): Promise<{ answer: AskAnswer, wakers: string[] }> {
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
    const opened = await this.#opening.open(targets, { ...identity.device, address })
    wakers.push(...opened.wakers)
    const answer = { ...this.#toAnswer(identity.device.id, opened.state, opened.sentence), ...(opened.console ? { console: opened.console } : {}) }
    this.#see(identity.device, { request, key, address }, answer.state, answer.sentence, opened.machine)
    return { wakers, answer: { ...answer, ...(identity.newKey === null ? {} : { deviceKey: identity.newKey }), ...(answer.state === 'ready' ? { viewer: entry?.viewer ?? DEFAULT_VIEWER_OPTIONS } : {}) } }
  }

  #toAnswer (device: string, state: AskAnswer['state'], sentence: string): AskAnswer {
    return { state, sentence, device, askAgainMs: askAgainMs(state), mark: markOf(state, sentence), brokerTimeMs: Date.now() }
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

  #toApi (row: ThinClientRow, assigned: string | null): ThinClient {
    const seen = this.#seen.get(row.id)
    return {
      id: row.id, mac: row.mac, address: seen?.address ?? row.address, hostname: seen?.hostname ?? row.hostname, version: seen?.version ?? row.version,
      state: seen?.state ?? 'unknown', sentence: seen?.sentence ?? 'It has not asked since the broker started.', machine: seen?.machine ?? null, assigned, accepted: row.accepted === 1,
      showing: seen?.showing ?? null, note: [seen?.note, row.note].filter(Boolean).join(' '), firstSeen: new Date(row.first_seen).toISOString(), lastSeen: new Date(Math.max(row.last_seen, seen?.lastSeenMs ?? 0)).toISOString(),
    }
  }
}

