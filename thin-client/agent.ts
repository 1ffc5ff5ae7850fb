import { ORDER_KINDS } from '../broker/api/device-orders.js'
import type { AskAnswer } from '../broker/api/thin-clients.js'
import { BrokerTrouble } from './broker-client.js'
import { BrokerLink } from './broker-link.js'
import type { RunCommand } from './command-line.js'
import { VERSION, deviceName, macsOf, readInterfaces } from './device.js'
import type { Log } from './log.js'
import { OrderTaker } from './orders.js'
import { PersonalScreen } from './personal-screen.js'
import type { AgentEvent, State, Step } from './policy-contract.js'
import { firstState, nextStep } from './policy.js'
import { findProgram } from './programs.js'
import type { Screen } from './screen.js'
import { SettingsFault, type SystemFiles } from './setup.js'
import { ViewerShow } from './viewer-show.js'

export interface AgentSurroundings {
  readonly command: RunCommand
  readonly environment: NodeJS.ProcessEnv
  readonly files: SystemFiles
  readonly screen: Screen
  readonly log: Log
  /** Gives numbers in [0, 1). */
  readonly random: () => number
}

/** The last words to the broker may not hold up the end of the agent for longer. */
const LAST_REPORT_MS = 1000

/** Carries out what the policy decides, and tells the policy what happened. */
export class Agent {
  private state: State
  private readonly link: BrokerLink
  private readonly personal: PersonalScreen
  private timer: NodeJS.Timeout | undefined
  private readonly viewer: ViewerShow
  private readonly orders: OrderTaker
  private lastReport: Promise<void> = Promise.resolve()
  private clockOffsetMs = 0
  /** Why there was no answer to the last question; empty: there was one. */
  private trouble = ''
  private finish: (ok: boolean) => void = () => undefined

  constructor(private readonly surroundings: AgentSurroundings) {
    this.state = firstState(surroundings.command.once)
    this.link = new BrokerLink(
      surroundings.command,
      surroundings.files,
      surroundings.log,
      surroundings.random,
    )
    this.personal = new PersonalScreen({
      link: this.link,
      screen: surroundings.screen,
      environment: surroundings.environment,
      log: surroundings.log,
      find: (name) => this.find(name),
      facts: () => ({
        device: deviceName(),
        macs: macsOf(readInterfaces()),
        ...this.link.describe(),
      }),
      // Times on the screen are the broker's: the clock of the device may be wrong by years.
      nowMs: () => Date.now() + this.clockOffsetMs,
    })
    this.viewer = new ViewerShow({
      link: this.link,
      personal: this.personal,
      environment: surroundings.environment,
      log: surroundings.log,
      find: (name) => this.find(name),
      tell: (event) => {
        this.handle(event)
      },
    })
    this.orders = new OrderTaker({
      link: this.link,
      log: surroundings.log,
      find: (name) => this.find(name),
      showMessage: async (text, seconds) => await this.viewer.showMessage(text, seconds),
      viewerRuns: () => this.viewer.showing !== null,
    })
  }

  /** Runs until it is stopped or, with --once, the first viewer has ended. Gives whether that went well. */
  async run(): Promise<boolean> {
    const ended = new Promise<boolean>((resolve) => {
      this.finish = resolve
    })
    this.handle({ type: 'started' })
    const ok = await ended
    clearTimeout(this.timer)
    this.personal.close()
    await Promise.race([
      this.lastReport,
      new Promise((resolve) => setTimeout(resolve, LAST_REPORT_MS).unref()),
    ])
    this.link.close()
    return ok
  }

  stop(): void {
    this.handle({ type: 'stop' })
  }

  /** Keys of the terminal that the agent runs on. */
  type(keys: string): void {
    this.personal.type(keys)
  }

  private find(name: string): string | undefined {
    return findProgram(name, this.surroundings.environment.PATH)
  }

  private handle(event: AgentEvent): void {
    const next = nextStep(this.state, event, this.surroundings.random())
    this.state = next.state
    for (const step of next.steps) this.carryOut(step)
  }

  private carryOut(step: Step): void {
    switch (step.do) {
      case 'ask':
        void this.ask(step)
        return
      case 'show':
        this.personal.show(step.sentence, step.form)
        return
      case 'pause':
        this.pause(step.pauseMs)
        return
      case 'keep-key':
        this.link.keepKey(step.deviceKey)
        return
      case 'launch':
        this.viewer.launch(step.console, step.viewer)
        return
      case 'report':
        this.report(step)
        return
      case 'notify':
        this.viewer.warn(step.sentence)
        return
      case 'obey':
        this.lastReport = Promise.all([this.lastReport, this.orders.obey(step.order)]).then(
          () => undefined,
        )
        return
      case 'end-viewer':
        this.viewer.end()
        return
      case 'exit':
        this.finish(step.ok)
    }
  }

  private report(step: Extract<Step, { do: 'report' }>): void {
    if (step.showing === 'nothing') this.reportNothing()
    else void this.reportWhatRuns(step)
  }

  private async ask({ have, waitMs, note, ended }: Extract<Step, { do: 'ask' }>): Promise<void> {
    const question = {
      macs: macsOf(readInterfaces()),
      hostname: deviceName(),
      version: VERSION,
      waitMs,
      orders: [...ORDER_KINDS],
      ...(have === undefined ? {} : { have }),
      ...(note === undefined ? {} : { note }),
      ...(ended ? { ended } : {}),
    }
    const askedMs = performance.now()
    let answer: AskAnswer
    try {
      if (question.macs.length === 0)
        throw new BrokerTrouble('This device has no network yet.', null)
      answer = await this.link.ask(question)
    } catch (error) {
      const sentence = error instanceof Error ? error.message : String(error)
      this.noteTrouble(sentence)
      if (error instanceof SettingsFault) this.handle({ type: 'settings-faulty', sentence })
      else
        this.handle({
          type: 'ask-failed',
          sentence,
          retryAfterMs: error instanceof BrokerTrouble ? error.retryAfterMs : null,
          tookMs: performance.now() - askedMs,
        })
      return
    }
    this.trouble = ''
    this.clockOffsetMs = answer.brokerTimeMs - Date.now()
    this.handle({ type: 'answered', answer, tookMs: performance.now() - askedMs })
  }

  /** It stands on the screen as well; here once, however often it is asked again. */
  private noteTrouble(sentence: string): void {
    if (sentence !== this.trouble) this.surroundings.log('warning', sentence)
    this.trouble = sentence
  }

  private pause(pauseMs: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.handle({ type: 'pause-over' }), pauseMs)
  }

  private reportNothing(): void {
    const report = this.link.report({ macs: macsOf(readInterfaces()), showing: null }).then(
      () => undefined,
      (error: unknown) => {
        this.notReported(error)
      },
    )
    this.lastReport = Promise.all([this.lastReport, report]).then(() => undefined)
  }

  private async reportWhatRuns({
    run,
    have,
    waitMs,
  }: Extract<Step, { showing: 'what-runs' }>): Promise<void> {
    // After the steps that follow this one, which may say that there is no viewer.
    await Promise.resolve()
    const askedMs = performance.now()
    try {
      const answer = await this.link.report({
        macs: macsOf(readInterfaces()),
        showing: this.viewer.showing,
        waitMs,
        orders: [...ORDER_KINDS],
        ...(have === undefined ? {} : { have }),
      })
      this.handle({ type: 'reported', run, answer, tookMs: performance.now() - askedMs })
    } catch (error) {
      this.notReported(error)
      this.handle({ type: 'report-failed', run, tookMs: performance.now() - askedMs })
    }
  }

  /** The broker being away must not touch a running desktop. */
  private notReported(error: unknown): void {
    this.surroundings.log(
      'info',
      `Not reported: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
