import type { BrokerLink } from './broker-link.js'
import { macsOf, readInterfaces } from './device.js'
import type { FindProgram } from './display.js'
import type { Log } from './log.js'
import { type LoginQuestions, LoginDialogue } from './login-dialogue.js'
import type { Form } from './login-form.js'
import { type LoginWindow, openLoginWindow } from './login-window.js'
import { wrapped } from './notice.js'
import { checkLoginBegun, checkLoginPolled } from './reply.js'
import { type Screen, type ScreenFacts, screenOn } from './screen.js'

export interface PersonalScreenDeps {
  readonly link: BrokerLink
  /** The terminal, or the log, that the agent writes to. */
  readonly screen: Screen
  readonly environment: NodeJS.ProcessEnv
  readonly log: Log
  readonly find: FindProgram
  readonly facts: () => ScreenFacts
  readonly nowMs: () => number
}

const MESSAGE_COLUMNS = 70

/**
 * What the person before the device sees and types: on the terminal of the agent, and where there
 * is an X display, in a window of it while somebody has to type.
 */
export class PersonalScreen {
  private readonly dialogue: LoginDialogue
  private sentence = ''
  private message: { readonly lines: readonly string[]; readonly timer: NodeJS.Timeout } | undefined
  private window: { readonly window: LoginWindow; readonly screen: Screen } | undefined

  constructor(private readonly deps: PersonalScreenDeps) {
    this.dialogue = new LoginDialogue(questionsOver(deps.link), () => this.draw())
  }

  show(sentence: string, form: Form | undefined): void {
    this.sentence = sentence
    this.dialogue.show(form)
    if (form !== undefined) this.openWindow()
    this.draw()
  }

  /** A message of an administrator, beside whatever is shown. */
  say(text: string, seconds: number): void {
    clearTimeout(this.message?.timer)
    const timer = setTimeout(() => {
      this.message = undefined
      this.draw()
    }, seconds * 1000)
    this.message = {
      lines: [...wrapped(text, MESSAGE_COLUMNS).map((line) => `| ${line}`), ''],
      timer,
    }
    this.draw()
  }

  type(keys: string): void {
    this.dialogue.type(keys)
  }

  /** The display is the viewer's from now on. */
  leaveToViewer(): void {
    this.dialogue.show(undefined)
    this.window?.window.close()
    this.window = undefined
  }

  close(): void {
    clearTimeout(this.message?.timer)
    this.leaveToViewer()
  }

  private draw(): void {
    const lines = [...(this.message?.lines ?? []), ...this.dialogue.lines()]
    for (const screen of [this.deps.screen, this.window?.screen])
      screen?.show(this.sentence, this.deps.facts(), this.deps.nowMs(), lines)
  }

  /**
   * A display that this program starts by itself is there only while a viewer runs; people log in
   * on the terminal then.
   */
  private openWindow(): void {
    const { link, environment, find, log } = this.deps
    const wanted = link.settings.display ?? 'auto'
    if (this.window !== undefined || (wanted !== 'auto' && wanted !== 'existing')) return
    const place = {
      environment,
      find,
      log,
      directory: environment.XDG_RUNTIME_DIR ?? link.stateDirectory,
    }
    const opened = openLoginWindow(
      place,
      (keys) => this.type(keys),
      () => {
        if (this.window?.window === opened) this.window = undefined
      },
    )
    if (opened !== undefined)
      this.window = { window: opened, screen: screenOn((text) => opened.write(text), true) }
  }
}

function questionsOver(link: BrokerLink): LoginQuestions {
  const nothing = (): undefined => undefined
  const macs = (): string[] => macsOf(readInterfaces())
  return {
    login: async (name, password) => {
      await link.send('login', { macs: macs(), name, password }, nothing)
    },
    begin: async (provider) =>
      await (provider === null
        ? link.send('login/code', { macs: macs() }, checkLoginBegun)
        : link.send('login/provider', { macs: macs(), provider }, checkLoginBegun)),
    poll: async (handle, provider) =>
      (
        await link.send(
          provider === null ? 'login/code/poll' : 'login/provider/poll',
          { macs: macs(), handle },
          checkLoginPolled,
        )
      ).name !== null,
    choose: async (choice) => {
      await link.send('choose', { macs: macs(), [choice.kind]: choice.name }, nothing)
    },
    logOut: async () => {
      await link.send('logout', { macs: macs() }, nothing)
    },
  }
}
