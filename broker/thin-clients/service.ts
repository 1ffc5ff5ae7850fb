import pLimit from 'p-limit'
import type { Logger } from 'pino'
import { Allowance, type AllowanceRules } from '../allowance.js'
import { inBackground } from '../background.js'
import type { DeviceEffect } from '../api/clients-xml.js'
import type { AskAnswer, ReportAnswer, ReportRequest } from '../api/thin-clients.js'
import type { Claims } from '../assignments/claims.js'
import type { Assignments } from '../assignments/service.js'
import type { Consoles } from '../consoles/service.js'
import { refusal } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { Reply } from '../http.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Observer } from '../machines/observer.js'
import type { Usage } from '../occupancy/usage.js'
import type { Machines } from '../machines/service.js'
import type { Pools } from '../pools/service.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import type { Permissions } from '../users/permissions.js'
import type { Providers } from '../users/providers.js'
import type { Users } from '../users/service.js'
import { AskPoll, type AskPollDeps } from './ask-poll.js'
import type { ClientsXmlFile } from './clients-file.js'
import type { LoginTarget } from './clients-entry.js'
import type { ClientsFile } from './clients-xml.js'
import { DeviceCodes } from './device-codes.js'
import { DeviceLogins } from './device-logins.js'
import { Devices } from './devices.js'
import { entryOf, targetsInWords } from './device-entry.js'
import { effectsOf } from './effects.js'
import { Askers } from './askers.js'
import { normalMacs } from './device-macs.js'
import { deviceTopic, Evaluations, type Place, type Question } from './evaluation.js'
import { Identities, type Networks } from './identity.js'
import { Opening } from './opening.js'
import { Orders } from './orders.js'
import { Parking, type Poll } from './parking.js'
import { ACCOUNTS, PersonDesktops } from './person-desktops.js'
import { ReportPoll, type ReportPollDeps } from './report-poll.js'
import { acceptedSeekers } from './seekers.js'
import { SeenDevices } from './seen.js'
import { wakeOnChanges, wakeThoseMeantOtherwise } from './waking.js'

export interface ThinClientsDeps {
  readonly store: Store
  readonly events: Events
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly machines: Machines
  readonly assignments: Assignments
  readonly usage: Usage
  readonly claims: Claims
  readonly pools: Pools
  readonly jobs: JobRunner
  readonly clientsXml: ClientsXmlFile
  readonly consoles: Consoles
  readonly users: Users
  readonly providers: Providers
  readonly permissions: Permissions
  readonly networks: Networks
  /** The codes on screens of devices that wait are made with it. */
  readonly codeSecret: string
  readonly horizonServer: string
  /** A person's login at a device that shows no desktop ends after this time. */
  readonly loginIdleMs: number
  /** What is seen of the devices has changed. */
  readonly onSeen: () => void
  readonly log: Logger
}

const FLUSH_EVERY_MS = 60_000
/** Jitter on the end of a long poll, so that devices that were switched on together do not stay together. */
const POLL_JITTER = 0.2
/** A device that waits asks a few times a minute; one that was told of many changes in a row asks after each. */
const QUESTIONS: AllowanceRules = {
  atOnce: 600,
  aMinute: 60,
  reason: 'device_asks_too_often',
}

/** What should this thin client do now? */
export class ThinClients {
  readonly #questions = new Allowance(QUESTIONS)
  readonly #previews = pLimit(1)
  readonly logins: DeviceLogins
  readonly codes: DeviceCodes
  readonly desktops: PersonDesktops
  readonly devices: Devices
  readonly orders: Orders
  readonly #identities: Identities
  readonly #seen: SeenDevices
  readonly #opening: Opening
  readonly #parking: Parking
  readonly #asking: AskPollDeps
  readonly #reporting: ReportPollDeps
  #stopping = false
  #timer: NodeJS.Timeout | undefined

  constructor(readonly deps: ThinClientsDeps) {
    const now = (): number => deps.users.deps.clock.now()
    this.#parking = new Parking((error) => {
      deps.log.error({ err: error }, 'a question of a thin client could not be answered')
    })
    const console: Consoles['spiceConsole'] = async (machine, asker) =>
      await deps.consoles.spiceConsole(machine, asker)
    this.#opening = new Opening({ ...deps, console }, (machineId) => {
      this.#parking.tell(`machine:${machineId}`)
    })
    const tell = (deviceId: string): void => {
      this.#parking.tell(deviceTopic(deviceId))
    }
    this.logins = new DeviceLogins({ ...deps, idleMs: deps.loginIdleMs, now }, tell)
    this.codes = new DeviceCodes({ ...deps, limits: deps.users.limits, now })
    this.desktops = new PersonDesktops({
      ...deps,
      logins: this.logins,
      codes: this.codes,
      opening: this.#opening,
    })
    this.#seen = new SeenDevices(deps.store, deps.onSeen)
    this.orders = new Orders({ store: deps.store, log: deps.log, tell, now })
    const askers = new Askers(deps.codeSecret, now)
    this.#identities = new Identities({ ...deps, askers, tell, now })
    this.devices = new Devices({
      ...deps,
      now,
      tell,
      askers,
      seen: this.#seen,
      orders: this.orders,
      logins: this.logins,
      gets: async (device) => await targetsInWords(deps, device, this.#seen.of(device.id)),
    })
    const refuseStopping = (): void => {
      this.#refuseStopping()
    }
    const common = { orders: this.orders, seen: this.#seen, refuseStopping }
    this.#asking = { ...common, evaluations: this.#evaluations() }
    this.#reporting = { ...deps, ...common, logins: this.logins }
  }

  #evaluations(): Evaluations {
    return new Evaluations({
      ...this.deps,
      identities: this.#identities,
      seen: this.#seen,
      opening: this.#opening,
      desktops: this.desktops,
      parking: this.#parking,
      now: () => performance.now(),
    })
  }

  /** Accounts were made, changed or removed. */
  noteAccounts(): void {
    this.#parking.tell(ACCOUNTS)
  }

  start(): void {
    const { events } = this.deps
    wakeOnChanges(events, this.#parking)
    events.subscribe('clientsXmlLoaded', () => {
      inBackground({
        log: this.deps.log,
        what: 'thin-clients.reload',
        work: () => wakeThoseMeantOtherwise(this.#parking, this.deps.clientsXml.current),
      })
    })
    this.#parking.start()
    this.#seen.start()
    this.logins.start()
    inBackground({
      log: this.deps.log,
      what: 'thin-clients.orders',
      work: () => this.orders.start(),
      retries: 20,
    })
    this.#timer = setInterval(() => {
      inBackground({
        log: this.deps.log,
        what: 'thin-clients.seen',
        work: () => this.#seen.flush(),
      })
      inBackground({
        log: this.deps.log,
        what: 'thin-clients.forget',
        work: () => this.#identities.forgetUnaccepted(),
      })
    }, FLUSH_EVERY_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping = true
    this.#parking.stop()
    this.orders.stop()
    this.#seen.stop()
    await this.logins.stop()
    await this.#seen.flush()
  }

  /**
   * Answers at once when something is new for the device, else when it becomes so, at the latest
   * after `waitMs`. Gives the function to be called when nobody waits for the answer any more.
   * Throws `too_many_requests`.
   */
  ask(question: Question, reply: Reply<AskAnswer>): () => void {
    if (question.key !== null) this.#questions.count(question.key)
    const poll = new AskPoll(this.#asking, question, reply, this.#endOf(question.request.waitMs))
    if (question.request.ended === true) poll.startAfter(this.#noteEnded(question))
    return this.#take(poll)
  }

  /**
   * Notes what the device shows. With `waitMs` it is answered when there is another notice for it,
   * at the latest after that time.
   */
  async report(
    place: Place,
    report: ReportRequest,
    reply: Reply<ReportAnswer>,
  ): Promise<() => void> {
    const device = await this.deviceAt(place)
    this.#seen.reported(
      device,
      report.showing === null ? null : `${report.showing.title} (${report.showing.protocol})`,
      report.note ?? '',
    )
    await this.logins.noteShown(device.id)
    return this.#take(
      new ReportPoll(this.#reporting, device, report, reply, this.#endOf(report.waitMs)),
    )
  }

  #take(poll: Poll): () => void {
    this.#parking.take(poll)
    return () => {
      this.#parking.leave(poll)
    }
  }

  #endOf(waitMs = 0): number {
    return performance.now() + waitMs * (1 - Math.random() * POLL_JITTER)
  }

  /** The device that shows its key. Throws `device_unknown`. */
  async deviceAt({ key, address }: Place): Promise<ThinClientRow> {
    const device = await this.#identities.byKey(key)
    if (!device) throw refusal('device_without_key')
    return { ...device, address }
  }

  /** The same, at which people may log in. Throws also `invalid_request`. */
  async loginPlace(place: Place): Promise<{ device: ThinClientRow; target: LoginTarget }> {
    const device = await this.deviceAt(place)
    const entry = await entryOf(this.deps, device, normalMacs(place.macs), place.address)
    const target = entry?.targets.find((one) => one.protocol === 'login')
    if (!target) throw refusal('no_login_here')
    return { device, target }
  }

  async #noteEnded({ key, address }: Question): Promise<void> {
    const device = await this.#identities.byKey(key)
    if (device)
      await this.logins.end(device.id, 'The desktop was closed.', {
        actor: `thin-client:${device.mac}`,
        address,
      })
  }

  #refuseStopping(): void {
    if (this.#stopping) throw refusal('broker_stopping')
  }

  /** Which of the devices that were seen would get something else by this file than by the one in force. */
  async effects(then: ClientsFile): Promise<DeviceEffect[]> {
    return await this.#previews(() => this.#effects(then))
  }

  async #effects(then: ClientsFile): Promise<DeviceEffect[]> {
    const seekers = await acceptedSeekers(this.deps.store, (id) => this.#seen.of(id))
    return await effectsOf(seekers, this.deps.clientsXml.current, then)
  }
}
