import type { Console, ReportRequest, ViewerOptions } from '../broker/api/thin-clients.js'
import type { BrokerLink } from './broker-link.js'
import { chooseDisplay, MissingProgram, placeViewer } from './display.js'
import type { Log } from './log.js'
import {
  type Notice,
  noticeHindrance,
  showNotice,
  type ShownNotice,
  type ViewerDisplay,
  WARNING_SECONDS,
} from './notice.js'
import type { Outcome } from './orders.js'
import type { PersonalScreen } from './personal-screen.js'
import type { AgentEvent } from './policy-contract.js'
import { type RunningViewer, runViewer } from './viewer-process.js'
import { type ViewerCommand, viewerCommand } from './viewers/command.js'
import { prepareXServer } from './x-server-place.js'

export interface ViewerSurroundings {
  readonly link: BrokerLink
  readonly personal: PersonalScreen
  readonly environment: NodeJS.ProcessEnv
  readonly log: Log
  readonly find: (program: string) => string | undefined
  readonly tell: (event: AgentEvent) => void
}

interface StartedViewer {
  readonly process: RunningViewer
  readonly display: ViewerDisplay
}

/** The viewer that runs, if one does, and what is shown over it. */
export class ViewerShow {
  private running: (StartedViewer & { readonly showing: ReportRequest['showing'] }) | undefined
  /** The last of each kind, over the viewer or on the display that waits for one. */
  private readonly notices: Partial<Record<Notice['kind'], ShownNotice>> = {}

  constructor(private readonly surroundings: ViewerSurroundings) {}

  /** What is shown now; null: no viewer runs. */
  get showing(): ReportRequest['showing'] {
    return this.running?.showing ?? null
  }

  launch(console: Console, options: ViewerOptions): void {
    const { link, personal, log, tell } = this.surroundings
    const viewer = viewerCommand(console, options, link.settings)
    personal.leaveToViewer()
    let started: StartedViewer
    try {
      started = this.start(viewer, options)
    } catch (error) {
      const sentence =
        error instanceof MissingProgram
          ? error.message
          : `The viewer ${viewer.program} cannot be started: ${error instanceof Error ? error.message : String(error)}.`
      log('error', sentence)
      // After the steps that follow this one, as every other event.
      queueMicrotask(() => {
        tell({ type: 'viewer-missing', sentence })
      })
      return
    }
    log('info', `Showing ${console.title} by ${viewer.program}.`)
    this.running = {
      ...started,
      showing: { protocol: console.protocol, title: console.title.slice(0, 100) },
    }
    void started.process.ended.then((end) => {
      this.running = undefined
      for (const notice of Object.values(this.notices)) notice.end()
      log(end.ok ? 'info' : 'warning', end.sentence)
      tell({ type: 'viewer-ended', ...end })
    })
  }

  end(): void {
    this.running?.process.end()
  }

  /** Throws MissingProgram, and what the system says when a program cannot be started. */
  private start(viewer: ViewerCommand, options: ViewerOptions): StartedViewer {
    const { link, environment, find, log } = this.surroundings
    const { display: wanted, xServerCommand } = link.settings
    const mode = chooseDisplay(wanted ?? 'auto', environment, find)
    const place = environment.XDG_RUNTIME_DIR ?? link.stateDirectory
    const xServer = mode === 'x' ? prepareXServer(place, environment, xServerCommand) : undefined
    const shared =
      mode === 'existing' && environment.DISPLAY ? { DISPLAY: environment.DISPLAY } : {}
    const display = xServer
      ? { DISPLAY: xServer.display, XAUTHORITY: xServer.authorityFile }
      : shared
    const process = runViewer(viewer, placeViewer(viewer, mode, options, find, xServer), log)
    return { process, display }
  }

  /** A sentence of the broker, over the viewer; nowhere when none runs. */
  warn(sentence: string): void {
    if (this.running !== undefined)
      this.showOver(
        { kind: 'warning', text: sentence, seconds: WARNING_SECONDS },
        this.running.display,
      )
  }

  private showOver(notice: Notice, display: ViewerDisplay): ShownNotice {
    const { log, find } = this.surroundings
    this.notices[notice.kind]?.end()
    const shown = showNotice(notice, display, find, log)
    this.notices[notice.kind] = shown
    return shown
  }

  /** Over the viewer, or on the screen that waits for one. */
  async showMessage(text: string, seconds: number): Promise<Outcome> {
    const { environment, log, find, personal } = this.surroundings
    const waiting = this.running === undefined
    // A display of somebody else's is there also while no viewer is; the terminal of the agent may then be behind it.
    const display =
      this.running?.display ??
      (environment.DISPLAY === undefined ? {} : { DISPLAY: environment.DISPLAY })
    const hindrance = noticeHindrance(display, find)
    if (waiting) {
      personal.say(text, seconds)
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
}
