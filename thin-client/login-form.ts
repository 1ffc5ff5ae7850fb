import type { AskAnswer, Choice, LoginWays } from '../broker/api/thin-clients.js'

/** What a person can do at the screen: log in, choose a desktop, or leave while they wait for it. */
export type Form =
  | { readonly kind: 'login'; readonly ways: LoginWays }
  | { readonly kind: 'choose'; readonly choices: readonly Choice[] }
  | { readonly kind: 'leave' }

/** A code that is confirmed in a browser; the handle is a secret and stands elsewhere. */
export interface ShownCode {
  readonly userCode: string
  readonly address: string
}

/**
 * name, password, number: what is typed now; provider: which one; code: it waits for a browser;
 * leave: nothing but Esc.
 */
export interface FormState {
  readonly form: Form
  readonly at: 'name' | 'password' | 'provider' | 'code' | 'number' | 'leave'
  readonly typed: string
  readonly name: string
  /** A wish is under way: keys do nothing. */
  readonly busy: boolean
  /** The answer to the last wish, such as that the password was wrong. */
  readonly said: string
  readonly code: ShownCode | null
}

export type Wish =
  | { readonly do: 'login'; readonly name: string; readonly password: string }
  /** `provider` null: on a page of the broker itself. */
  | { readonly do: 'begin'; readonly provider: string | null }
  | { readonly do: 'choose'; readonly choice: Choice }
  | { readonly do: 'log-out' | 'forget-code' }

export interface Typed {
  readonly state: FormState
  readonly wish?: Wish
}

const OWN_PAGE = { name: null, title: 'your phone or another computer' } as const
const LONGEST_TYPED = 1024
const ENTER = /^[\r\n\t]$/
const BACKSPACE = /^[\b\u007f]$/
const ESCAPE = '\u001b'
const CLEAR_LINE = '\u0015'

/** What an answer of the broker lets a person do, if anything. */
export function formOf(answer: AskAnswer): Form | undefined {
  if (answer.state === 'login' && answer.ways !== undefined)
    return { kind: 'login', ways: answer.ways }
  if (answer.state === 'choose' && answer.choices !== undefined)
    return { kind: 'choose', choices: answer.choices }
  return answer.person !== undefined && answer.state !== 'ready' ? { kind: 'leave' } : undefined
}

export function beginForm(form: Form, said = ''): FormState {
  const at =
    form.kind === 'login'
      ? form.ways.password
        ? 'name'
        : 'provider'
      : form.kind === 'choose'
        ? 'number'
        : 'leave'
  return { form, at, typed: '', name: '', busy: false, said, code: null }
}

/** Ways to log in without a password here, in the order of their numbers. */
function otherWays({
  providers,
  code,
}: LoginWays): ReadonlyArray<{ readonly name: string | null; readonly title: string }> {
  return code === true ? [...providers, OWN_PAGE] : providers
}

/**
 * The keys in what a terminal sent: characters, and Esc alone; sequences of arrows and the like are
 * left out (ECMA-48, 5.4).
 */
export function keysOf(text: string): string[] {
  return [...text.replace(/\u001b\[[0-?]*[ -/]*[@-~]|\u001bO[A-Za-z]/g, '')]
}

/** What a key does. Pure. */
export function typeKey(state: FormState, key: string): Typed {
  if (state.busy) return { state }
  if (key === ESCAPE) return escape(state)
  if (state.at === 'code' || state.at === 'leave') return { state }
  if (ENTER.test(key)) return enter({ ...state, said: '' })
  if (BACKSPACE.test(key))
    return { state: { ...state, typed: [...state.typed].slice(0, -1).join('') } }
  if (key === CLEAR_LINE) return { state: { ...state, typed: '' } }
  if (/\p{Cc}/u.test(key) || state.typed.length >= LONGEST_TYPED) return { state }
  return { state: { ...state, typed: state.typed + key } }
}

function escape(state: FormState): Typed {
  if (state.at === 'leave') return { state: { ...state, busy: true }, wish: { do: 'log-out' } }
  return {
    state: beginForm(state.form),
    ...(state.at === 'code' ? { wish: { do: 'forget-code' } as const } : {}),
  }
}

function enter(state: FormState): Typed {
  const { form, typed } = state
  if (form.kind === 'choose') return enterChoice(state, form.choices)
  if (form.kind !== 'login') return { state }
  const ways = otherWays(form.ways)
  if (state.at === 'password')
    return {
      state: { ...state, typed: '', busy: true, said: 'One moment.' },
      wish: { do: 'login', name: state.name, password: typed },
    }
  if (state.at === 'name' && typed.trim() !== '')
    return { state: { ...state, at: 'password', name: typed.trim(), typed: '' } }
  if (ways.length === 0) return { state }
  const chosen = ways.length === 1 ? ways[0] : ways[Number(typed) - 1]
  if (chosen === undefined)
    return {
      state: {
        ...state,
        at: 'provider',
        typed: '',
        said: state.at === 'provider' ? 'Type the number before it.' : '',
      },
    }
  return {
    state: { ...state, at: 'code', typed: '', busy: true, said: 'One moment.' },
    wish: { do: 'begin', provider: chosen.name },
  }
}

function enterChoice(state: FormState, choices: readonly Choice[]): Typed {
  if (state.typed === '0')
    return { state: { ...state, typed: '', busy: true }, wish: { do: 'log-out' } }
  const choice = choices[Number(state.typed) - 1]
  if (choice === undefined)
    return { state: { ...state, typed: '', said: 'Type the number of a desktop.' } }
  return {
    state: { ...state, typed: '', busy: true, said: 'One moment.' },
    wish: { do: 'choose', choice },
  }
}

/** The form as lines of a terminal; the password is never in them, nor its length. */
export function linesOf(state: FormState): string[] {
  const said = state.said === '' ? [] : [state.said, '']
  return [...said, ...fieldsOf(state)]
}

function fieldsOf({ form, at, typed, name, code }: FormState): string[] {
  if (form.kind === 'leave') return ['Press Esc to log out.']
  if (form.kind === 'choose')
    return [
      ...form.choices.map(
        (choice, index) => `${String(index + 1).padStart(3)}  ${choice.name}  (${choice.sentence})`,
      ),
      '  0  log out',
      '',
      `Number: ${typed}_`,
    ]
  const ways = otherWays(form.ways)
  switch (at) {
    case 'password':
      return [`Name: ${name}`, 'Password: _', '', 'Esc goes back.']
    case 'code':
      return code === null
        ? []
        : [
            `Open ${code.address} in any browser and enter this code:`,
            '',
            `    ${code.userCode}`,
            '',
            'Esc goes back.',
          ]
    case 'provider':
      return ways.length === 1
        ? [`Press Enter to log in with ${ways[0]?.title ?? ''}.`]
        : [
            ...ways.map(({ title }, index) => `${String(index + 1).padStart(3)}  ${title}`),
            '',
            `Number: ${typed}_`,
          ]
    default:
      return [
        `Name: ${typed}_`,
        ...(ways.length === 0
          ? []
          : [
              '',
              `Or press Enter alone to log in with ${ways.map(({ title }) => title).join(' or ')}.`,
            ]),
      ]
  }
}
