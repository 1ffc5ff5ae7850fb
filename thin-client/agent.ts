import type { AskAnswer, Console, ReportRequest, ViewerOptions } from '../broker/api/thin-clients.js'
import { BrokerTrouble } from './broker-client.js'
import { BrokerLink } from './broker-link.js'
import type { RunCommand } from './command-line.js'
import { VERSION, deviceName, macsOf, readInterfaces } from './device.js'
import { MissingProgram, chooseDisplay, placeViewer } from './display.js'
import type { Log } from './log.js'
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

/** The last words to the broker may not hold up the end of the agent for longer. */
const LAST_REPORT_MS = 1000

/** Carries out what the policy decides, and tells the policy what happened. */
export class Agent {
  private state: State
  private readonly link: BrokerLink
  private timer: NodeJS.Timeout | undefined
  private viewer: { readonly process: RunningViewer, readonly showing: ReportRequest['showing'] } | undefined
  private lastReport: Promise<void> = Promise.resolve()
  private clockOffsetMs = 0
  private finish: (ok: boolean) => void = () => undefined

  constructor (private readonly surroundings: AgentSurroundings) {
    this.state = firstState(surroundings.command.once)
    this.link = new BrokerLink(surroundings.command, surroundings.files, surroundings.log, surroundings.random)
  }

  /** Runs until it is stopped or, with --once, the first viewer has ended. Gives whether that went well. */
  async run (): Promise<boolean> {
    const ended = new Promise<boolean>(resolve => { this.finish = resolve })
    this.handle({ type: 'started' })
    const ok = await ended
    clearTimeout(this.timer)
    await Promise.race([this.lastReport, new Promise(resolve => setTimeout(resolve, LAST_REPORT_MS).unref())])
    this.link.close()
    return ok
  }

  stop (): void {
    this.handle({ type: 'stop' })
  }

  private handle (event: AgentEvent): void {
    const next = nextStep(this.state, event, this.surroundings.random())
    this.state = next.state
    for (const step of next.steps) this.carryOut(step)
  }

  private carryOut (step: Step): void {
    switch (step.do) {
      case 'ask': void this.ask(step.have, step.waitMs, step.note); return
      case 'show': this.show(step.sentence); return
      case 'pause': this.pause(step.pauseMs); return
      case 'keep-key': this.link.keepKey(step.deviceKey); return
      case 'launch': this.launch(step.console, step.viewer); return
      case 'report': this.report(step.showing); return
      case 'end-viewer': this.viewer?.process.end(); return
      case 'exit': this.finish(step.ok)
    }
  }

  private async ask (have: string | undefined, waitMs: number, note: string | undefined): Promise<void> {
    const question = { macs: macsOf(readInterfaces()), hostname: deviceName(), version: VERSION, waitMs, ...(have === undefined ? {} : { have }), ...(note === undefined ? {} : { note }) }
    const askedMs = performance.now()
    let answer: AskAnswer
    try {
      if (question.macs.length === 0) throw new BrokerTrouble('This device has no network yet.', null)
      answer = await this.link.ask(question)
    } catch (error) {
      if (error instanceof SettingsFault) this.handle({ type: 'settings-faulty', sentence: error.message })
      else this.handle({ type: 'ask-failed', sentence: error instanceof Error ? error.message : String(error), retryAfterMs: error instanceof BrokerTrouble ? error.retryAfterMs : null })
      return
    }
    this.clockOffsetMs = answer.brokerTimeMs - Date.now()
    this.handle({ type: 'answered', answer, tookMs: performance.now() - askedMs })
  }

  /** Times on the screen are the broker's: the clock of the device may be wrong by years. */
  private show (sentence: string): void {
    const facts = { device: deviceName(), macs: macsOf(readInterfaces()), ...this.link.describe() }
    this.surroundings.screen.show(sentence, facts, Date.now() + this.clockOffsetMs)
  }

  private pause (pauseMs: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.handle({ type: 'pause-over' }), pauseMs)
  }

  private report (what: 'what-runs' | 'nothing'): void {
    const showing = what === 'nothing' ? null : this.viewer?.showing ?? null
    this.lastReport = this.link.report({ macs: macsOf(readInterfaces()), showing }).catch((error: unknown) => {
      // The broker being away must not touch a running desktop.
      this.surroundings.log('info', `Not reported: ${error instanceof Error ? error.message : String(error)}`)
    })
  }

  private launch (console: Console, options: ViewerOptions): void {
    const { log, environment } = this.surroundings
    const find = (name: string): string | undefined => findProgram(name, environment.PATH)
    const settings = this.link.settings
    const viewer = viewerCommand(console, options, settings)
    let process: RunningViewer
    try {
      const mode = chooseDisplay(settings.display ?? 'auto', environment, find)
      const xServer = mode === 'x' ? prepareXServer(environment.XDG_RUNTIME_DIR ?? this.link.stateDirectory, environment, settings.xServerCommand) : undefined
      process = runViewer(viewer, placeViewer(viewer, mode, options, find, xServer), log)
    } catch (error) {
      const sentence = error instanceof MissingProgram ? error.message : `The viewer ${viewer.program} cannot be started: ${error instanceof Error ? error.message : String(error)}.`
      log('error', sentence)
      // After the steps that follow this one, as every other event.
      queueMicrotask(() => this.handle({ type: 'viewer-missing', sentence }))
      return
    }
    log('info', `Showing ${console.title} by ${viewer.program}.`)
    this.viewer = { process, showing: { protocol: console.protocol, title: console.title.slice(0, 100) } }
    void process.ended.then(end => {
      this.viewer = undefined
      log(end.ok ? 'info' : 'warning', end.sentence)
      this.handle({ type: 'viewer-ended', ...end })
    })
  }
}
