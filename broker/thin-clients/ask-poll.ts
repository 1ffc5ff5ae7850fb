import type { DeviceOrder } from '../api/device-orders.js'
import type { AskAnswer } from '../api/thin-clients.js'
import type { Reply } from '../http.js'
import type { ClientsFile } from './clients-xml.js'
import type { Evaluation, Evaluations, Question } from './evaluation.js'
import type { Orders } from './orders.js'
import { Poll, type Waiting } from './parking.js'
import type { SeenDevices } from './seen.js'

export interface AskPollDeps {
  readonly evaluations: Evaluations
  readonly orders: Orders
  readonly seen: SeenDevices
  /** Throws while the broker stops. */
  readonly refuseStopping: () => void
}

/** A question of a device, answered when something is new for it. */
export class AskPoll extends Poll {
  /** What the device says with its question is noted before the first look. */
  #first: Promise<void> | null = null
  #found: Evaluation | null = null
  #held = ''

  constructor(
    readonly deps: AskPollDeps,
    readonly question: Question,
    readonly reply: Reply<AskAnswer>,
    untilMs: number,
  ) {
    super(untilMs)
  }

  startAfter(first: Promise<void>): void {
    this.#first = first
  }

  override async look(last: boolean): Promise<Waiting | null> {
    const { evaluations, refuseStopping } = this.deps
    refuseStopping()
    if (this.#first !== null) await this.#first
    this.#first = null
    const before = this.#found
    const found =
      (before === null
        ? evaluations.remembered(this.question)
        : evaluations.isStillSo(before)
          ? before
          : null) ?? (await evaluations.look(this.question, before))
    this.#found = found
    this.#hold(found)
    const order = await this.#order(found)
    const { answer, topics, againMs } = found
    if (order !== null || this.#isNews(answer) || last) {
      this.reply.answer({
        ...answer,
        brokerTimeMs: Date.now(),
        ...(order === null ? {} : { order }),
      })
      return null
    }
    return evaluations.isMeantAlike(found) ? { topics, againMs } : await this.look(last)
  }

  /** Whether the file in force gives the device what it was told. */
  isAlikeUnder(file: ClientsFile): boolean {
    return (
      this.#found === null ||
      this.#found.file === file ||
      this.deps.evaluations.isMeantAlike(this.#found)
    )
  }

  override fail(error: unknown): void {
    this.reply.fail(error)
  }

  override over(): void {
    if (this.#held !== '') this.deps.seen.letGo(this.#held)
  }

  #isNews({ mark, state, deviceKey }: AskAnswer): boolean {
    return mark !== this.question.request.have || state === 'ready' || deviceKey !== undefined
  }

  #hold({ answer }: Evaluation): void {
    if (this.#held !== '' || answer.device === '' || this.place === 'over') return
    this.#held = answer.device
    this.deps.seen.hold(answer.device)
  }

  async #order({ identity, answer }: Evaluation): Promise<DeviceOrder | null> {
    const { orders, evaluations } = this.deps
    if (!identity.known || !orders.mayWaitFor(answer.device)) return null
    evaluations.forget(this.question)
    const { version, orders: knows = [] } = this.question.request
    return await orders.next({ id: answer.device }, version, knows)
  }
}
