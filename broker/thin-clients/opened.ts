import type { Verb } from '../api/permissions.js'
import type { AskAnswer, Choice, Console, LoginWays } from '../api/thin-clients.js'
import type { Actor } from '../audit/store.js'
import type { Asker } from '../consoles/asker.js'
import type { MachineFacts } from './policy.js'

/** For whom a desktop is opened: a thin client itself, or the person who is logged in at it. */
export interface Opener {
  /** As assignments name them: `thin-client:ID`, `user:KEY`. */
  readonly holder: string
  readonly actor: Actor
  readonly asker: Asker
  /** What they may do with a machine; clients.xml permits everything to the device itself. */
  readonly may: (verb: Verb, machine: string) => Promise<boolean>
}

/**
 * What a device is told about its desktop. `wakers`: what may change that; `lookAgainMs`: it may
 * change without a word. `login`: it is a person's desktop that is to be shown.
 */
export interface Opened {
  readonly state: AskAnswer['state']
  readonly sentence: string
  readonly console: Console | null
  readonly machine: { readonly id: string; readonly name: string } | null
  readonly wakers: string[]
  readonly lookAgainMs?: number
  /**
   * Given where neither time nor anything without an event changes it: what does besides the
   * wakers, and is worth no word to those who wait.
   */
  readonly steadyUnder?: readonly string[]
  readonly login?: { readonly pools: readonly string[] }
  readonly person?: string
  readonly ways?: LoginWays
  readonly choices?: Choice[]
}

export type Act = Pick<Opened, 'state' | 'sentence' | 'console' | 'login' | 'lookAgainMs'> & {
  readonly machine?: MachineFacts | null
}
