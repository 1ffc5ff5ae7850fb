import type { Choice } from '../broker/api/thin-clients.js'
import { BrokerTrouble } from './broker-client.js'
import {
  beginForm,
  type Form,
  type FormState,
  keysOf,
  linesOf,
  typeKey,
  type Wish,
} from './login-form.js'

/** A login that a provider has begun. */
export interface BegunLogin {
  readonly userCode: string
  readonly verificationUri: string
  readonly expiresAt: string
  readonly intervalMs: number
  readonly handle: string
}

/** What the broker is asked for a person. Each throws BrokerTrouble; its `refusal` is the broker's own sentence. */
export interface LoginQuestions {
  readonly login: (name: string, password: string) => Promise<void>
  /** `provider` null: to be confirmed on a page of the broker itself. */
  readonly begin: (provider: string | null) => Promise<BegunLogin>
  /** Whether it was confirmed. */
  readonly poll: (handle: string, provider: string | null) => Promise<boolean>
  readonly choose: (choice: Choice) => Promise<void>
  readonly logOut: () => Promise<void>
}

/** What was typed and left is forgotten: the next person must not find it. */
export const FORGET_TYPED_MS = 60_000
const LEAST_POLL_MS = 1000

/**
 * A person at the screen: keys come in, wishes go to the broker, lines come out. What follows from
 * a wish is told by the next answer to the device's question.
 */
export class LoginDialogue {
  private state: FormState | undefined
  private forget: NodeJS.Timeout | undefined
  private nextPoll: NodeJS.Timeout | undefined

  constructor(
    private readonly questions: LoginQuestions,
    private readonly redraw: () => void,
  ) {}

  /** A form that stays the same keeps what was typed. */
  show(form: Form | undefined): void {
    if (JSON.stringify(form) === JSON.stringify(this.state?.form)) return
    this.close()
    if (form !== undefined) this.state = beginForm(form)
  }

  lines(): readonly string[] {
    return this.state === undefined ? [] : linesOf(this.state)
  }

  type(text: string): void {
    for (const key of keysOf(text)) {
      if (this.state === undefined) return
      const { state, wish } = typeKey(this.state, key)
      this.state = state
      if (wish !== undefined) void this.carryOut(wish, state.form)
    }
    clearTimeout(this.forget)
    this.forget = setTimeout(() => {
      if (this.state !== undefined && this.state.at !== 'code')
        this.become(beginForm(this.state.form))
    }, FORGET_TYPED_MS)
    this.forget.unref()
    this.redraw()
  }

  close(): void {
    clearTimeout(this.forget)
    clearTimeout(this.nextPoll)
    this.state = undefined
  }

  private async carryOut(wish: Wish, form: Form): Promise<void> {
    clearTimeout(this.nextPoll)
    try {
      switch (wish.do) {
        case 'forget-code':
          return
        case 'begin':
          this.showCode(await this.questions.begin(wish.provider), wish.provider, form)
          return
        case 'login':
          await this.questions.login(wish.name, wish.password)
          break
        case 'choose':
          await this.questions.choose(wish.choice)
          break
        case 'log-out':
          await this.questions.logOut()
      }
      this.answer(form, 'One moment.')
    } catch (error) {
      this.answer(form, sentenceOf(error), wish.do === 'login' ? wish.name : '')
    }
  }

  private showCode(begun: BegunLogin, provider: string | null, form: Form): void {
    if (this.state?.form !== form) return
    this.become({
      ...this.state,
      at: 'code',
      busy: false,
      said: '',
      code: { userCode: begun.userCode, address: begun.verificationUri },
    })
    this.pollLater(begun, provider, form)
  }

  private pollLater(begun: BegunLogin, provider: string | null, form: Form): void {
    this.nextPoll = setTimeout(
      () => {
        void this.poll(begun, provider, form)
      },
      Math.max(begun.intervalMs, LEAST_POLL_MS),
    )
  }

  private async poll(begun: BegunLogin, provider: string | null, form: Form): Promise<void> {
    try {
      if (await this.questions.poll(begun.handle, provider)) {
        this.answer(form, 'One moment.')
        return
      }
    } catch (error) {
      // A broker that is away for a moment is asked again; its refusal is final.
      if (!(error instanceof BrokerTrouble) || error.refusal !== null) {
        this.answer(form, sentenceOf(error))
        return
      }
    }
    if (this.state?.form === form && this.state.at === 'code') this.pollLater(begun, provider, form)
  }

  /** The form from its beginning, unless another one has taken its place. */
  private answer(form: Form, said: string, typed = ''): void {
    if (this.state?.form === form) this.become({ ...beginForm(form, said), typed })
  }

  private become(state: FormState): void {
    this.state = state
    this.redraw()
  }
}

function sentenceOf(error: unknown): string {
  if (error instanceof BrokerTrouble) return error.refusal ?? error.message
  return error instanceof Error ? error.message : String(error)
}
