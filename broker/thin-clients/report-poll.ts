import type { DeviceOrder } from '../api/device-orders.js'
import type { ReportAnswer, ReportRequest } from '../api/thin-clients.js'
import type { Reply } from '../http.js'
import type { ThinClientRow } from '../store/tables.js'
import { deviceTopic } from './evaluation.js'
import { noteRdpInUse, noticeFor, type NoticesDeps } from './notices.js'
import type { Orders } from './orders.js'
import { Poll, type Waiting } from './parking.js'
import type { SeenDevices } from './seen.js'

export interface ReportPollDeps extends NoticesDeps {
  readonly orders: Orders
  readonly seen: SeenDevices
  /** Throws while the broker stops. */
  readonly refuseStopping: () => void
}

/** What a device shows, answered when something is to be said over it. */
export class ReportPoll extends Poll {
  constructor(
    readonly deps: ReportPollDeps,
    readonly device: ThinClientRow,
    readonly report: ReportRequest,
    readonly reply: Reply<ReportAnswer>,
    untilMs: number,
  ) {
    super(untilMs)
    deps.seen.hold(device.id)
  }

  override async look(last: boolean): Promise<Waiting | null> {
    const { deps, device, report } = this
    deps.refuseStopping()
    await noteRdpInUse(deps, device, report.showing)
    const { wakers, ...answer } = await noticeFor(deps, device, report.showing)
    const order = await this.#order()
    const isNews = answer.over !== null || (answer.notice?.id ?? '') !== (report.have ?? '')
    if (order === null && !isNews && !last) return { topics: [...wakers, deviceTopic(device.id)] }
    this.reply.answer({ ...answer, ...(order === null ? {} : { order }) })
    return null
  }

  override fail(error: unknown): void {
    this.reply.fail(error)
  }

  override over(): void {
    this.deps.seen.letGo(this.device.id)
  }

  /** A device that says that it shows nothing any more asks next; nobody reads what is answered to that. */
  async #order(): Promise<DeviceOrder | null> {
    const { orders } = this.deps
    const { showing, orders: knows = [] } = this.report
    return showing === null || !orders.mayWaitFor(this.device.id)
      ? null
      : await orders.next(this.device, this.device.version, knows)
  }
}
