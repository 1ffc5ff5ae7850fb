import { ORDER_KINDS } from '../broker/api/device-orders.js'
import type {
  AskAnswer,
  Console,
  ReportRequest,
  ViewerOptions,
} from '../broker/api/thin-clients.js'
import { BrokerTrouble } from './broker-client.js'
import { BrokerLink } from './broker-link.js'
import type { RunCommand } from './command-line.js'
import { VERSION, deviceName, macsOf, readInterfaces } from './device.js'
import { MissingProgram, chooseDisplay, placeViewer } from './display.js'
import type { Log } from './log.js'
import {
  type Notice,
  noticeHindrance,
  showNotice,
  type ShownNotice,
  type ViewerDisplay,
  WARNING_SECONDS,
} from './notice.js'
import { OrderTaker, type Outcome } from './orders.js'
import { PersonalScreen } from './personal-screen.js'
import { type AgentEvent, type State, type Step, firstState, nextStep } from './policy.js'
import { findProgram } from './programs.js'
import type { Screen } from './screen.js'
import { SettingsFault, type SystemFiles } from './setup.js'
import { type RunningViewer, runViewer } from './viewer-process.js'
import { viewerCommand } from './viewers/command.js'
import { prepareXServer } from './x-server-place.js'

export interface AgentSurroundings {
  readonly command: RunCommand
  readonly environment: NodeJS.ProcessEnv
  readonly files: SystemFiles
  readonly screen: Screen
  readonly log: Log
  /** Gives numbers in [0, 1). */
  readonly random: () => number
}

interface ShownViewer {
  readonly process: RunningViewer
  readonly showing: ReportRequest['showing']
  readonly display: ViewerDisplay
}

/** The last words to the broker may not hold up the end of the agent for longer. */
const LAST_REPORT_MS = 1000

/** Carries out what the policy decides, and tells the policy what happened. */
export class Agent {
  private state: State
  private readonly link: BrokerLink
  private readonly personal: PersonalScreen
  private timer: NodeJS.Timeout | undefined
  private viewer: ShownViewer | undefined
  private readonly orders: OrderTaker
  /** The last of each kind, over the viewer or on the display that waits for one. */
  private readonly notices: Partial<Record<Notice['kind'], ShownNotice>> = {}
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
    this.orders = new OrderTaker({
      link: this.link,
      log: surroundings.log,
      find: (name) => this.find(name),
      showMessage: async (text, seconds) => await this.showMessage(text, seconds),
      viewerRuns: () => this.viewer !== undefined,
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
        this.launch(step.console, step.viewer)
        return
      case 'report':
        this.report(step)
        return
      case 'notify':
        this.notify(step.sentence)
        return
      case 'obey':
        this.lastReport = Promise.all([this.lastReport, this.orders.obey(step.order)]).then(
          () => undefined,
        )
        return
      case 'end-viewer':
        this.endViewer()
        return
      case 'exit':
        this.finish(step.ok)
    }
  }

  private report(step: Extract<Step, { do: 'report' }>): void {
    if (step.showing === 'nothing') this.reportNothing()
    else void this.reportWhatRuns(step)
  }

  private endViewer(): void {
    this.viewer?.process.end()
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
        showing: this.viewer?.showing ?? null,
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

  private notify(sentence: string): void {
    if (this.viewer !== undefined)
      this.showOver(
        { kind: 'warning', text: sentence, seconds: WARNING_SECONDS },
        this.viewer.display,
      )
  }

  private showOver(notice: Notice, display: ViewerDisplay): ShownNotice {
    this.notices[notice.kind]?.end()
    const shown = showNotice(notice, display, (name) => this.find(name), this.surroundings.log)
    this.notices[notice.kind] = shown
    return shown
  }

  private async showMessage(text: string, seconds: number): Promise<Outcome> {
    const { environment, log } = this.surroundings
    const waiting = this.viewer === undefined
    // A display of somebody else's is there also while no viewer is; the terminal of the agent may then be behind it.
    const display =
      this.viewer?.display ??
      (environment.DISPLAY === undefined ? {} : { DISPLAY: environment.DISPLAY })
    const hindrance = noticeHindrance(display, (name) => this.find(name))
    if (waiting) {
      this.personal.say(text, seconds)
      log('info', `A message of an administrator: ${text}`)
      if (hindrance !== null)
        return { outcome: 'done', sentence: 'Shown on the screen that waits.' }
    }
    if (hindrance !== null)
      return { outcome: 'refused', sentence: `Not shown over the viewer: ${hindrance}.` }
    const opened = await this.showOver({ kind: 'message', text, seconds }, display).opened
    if (opened)
      return {
        outcome: 'done',
        sentence: waiting ? 'Shown on the screen that waits.' : 'Shown over the desktop.',
      }
    return { outcome: 'refused', sentence: 'The window of the message could not be opened.' }
  }

  private launch(console: Console, options: ViewerOptions): void {
    const { log, environment } = this.surroundings
    const settings = this.link.settings
    const viewer = viewerCommand(console, options, settings)
    this.personal.leaveToViewer()
    let process: RunningViewer
    let display: ViewerDisplay
    try {
      const mode = chooseDisplay(settings.display ?? 'auto', environment, (name) => this.find(name))
      const xServer =
        mode === 'x'
          ? prepareXServer(
              environment.XDG_RUNTIME_DIR ?? this.link.stateDirectory,
              environment,
              settings.xServerCommand,
            )
          : undefined
      display = xServer
        ? { DISPLAY: xServer.display, XAUTHORITY: xServer.authorityFile }
        : mode === 'existing' && environment.DISPLAY
          ? { DISPLAY: environment.DISPLAY }
          : {}
      process = runViewer(
        viewer,
        placeViewer(viewer, mode, options, (name) => this.find(name), xServer),
        log,
      )
    } catch (error) {
      const sentence =
        error instanceof MissingProgram
          ? error.message
          : `The viewer ${viewer.program} cannot be started: ${error instanceof Error ? error.message : String(error)}.`
      log('error', sentence)
      // After the steps that follow this one, as every other event.
      queueMicrotask(() => this.handle({ type: 'viewer-missing', sentence }))
      return
    }
    log('info', `Showing ${console.title} by ${viewer.program}.`)
    this.viewer = {
      process,
      display,
      showing: { protocol: console.protocol, title: console.title.slice(0, 100) },
    }
    void process.ended.then((end) => {
      this.viewer = undefined
      for (const notice of Object.values(this.notices)) notice.end()
      log(end.ok ? 'info' : 'warning', end.sentence)
      this.handle({ type: 'viewer-ended', ...end })
    })
  }
}
