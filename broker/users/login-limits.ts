import { siteOf, subnetOf } from '../addresses.js'
import { refusal } from '../errors/broker-error.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { nameKey } from './names.js'

/**
 * account: passwords; code: codes that a thin client shows, so that who guesses those does not keep
 * anybody from logging in.
 */
export type Guessed = 'account' | 'code'

/**
 * Where a try comes from: an address, and perhaps a thin client there that has shown its key. Many
 * share an address, so that bears more when each counts for itself.
 */
export interface Origin {
  readonly address: string
  readonly device?: string
  /**
   * A place where this very person has been in before, such as a browser: it is counted by itself,
   * so that strangers' failures elsewhere do not keep them out.
   */
  readonly known?: string
}

/**
 * So many wrong answers are a person who does not remember; later ones wait. An address may stand
 * for a whole school, whose classes log in at the same moment: a try counts until it was right. One
 * person at a time sits at a thin client.
 */
const FREE_TRIES = { account: 5, known: 5, address: 100, device: 20, devices: 200 } as const
/** An IPv6 site (/48) has 65,536 networks. */
const TIMES_FOR_SITE = 10
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 15 * 60_000
/** A quiet time after which everything is forgotten. */
export const FORGET_MS = 24 * 3_600_000

/** How long nobody may try after this many failures in a row: twice as long each time. Pure. */
export function waitAfter(failures: number, freeTries: number): number {
  return failures < freeTries
    ? 0
    : Math.min(FIRST_WAIT_MS * 2 ** Math.min(failures - freeTries, 20), LONGEST_WAIT_MS)
}

/**
 * Failed logins by account and by origin. They are kept over a restart, count for names that do not
 * exist as well, and end by themselves.
 */
export class LoginLimits {
  /** `now`: a time that nobody ends a wait with by setting the clock on; milliseconds since 1970. */
  constructor(
    readonly store: Store,
    readonly now: () => number,
  ) {}

  /**
   * Counts a try as failed before it is made, so that many at once are no way around; `succeeded`
   * takes it back. Throws `too_many_requests`, in the same words whether the account exists or not.
   */
  async begin(name: string, origin: Origin, guessed: Guessed = 'account'): Promise<void> {
    const now = this.now()
    await inTransaction(this.store, async (tx) => {
      const subjects = subjectsOf(guessed, name, origin)
      const rows = await tx
        .selectFrom('login_failure')
        .selectAll()
        .where(
          'subject',
          'in',
          subjects.map(([subject]) => subject),
        )
        .where('last_at', '>', now - FORGET_MS)
        .execute()
      // What was entered later than now was entered before the clock was set back: a wait that
      // lasts until it has caught up would lock people out for that long.
      const until = Math.max(
        0,
        ...rows.filter((row) => row.last_at <= now).map((row) => row.blocked_until),
      )
      if (until > now)
        throw refusal('too_many_attempts', { seconds: Math.ceil((until - now) / 1000) })
      for (const [subject, freeTries] of subjects) {
        const failures = (rows.find((row) => row.subject === subject)?.failures ?? 0) + 1
        const change = {
          failures,
          last_at: now,
          blocked_until: now + waitAfter(failures, freeTries),
        }
        await tx
          .insertInto('login_failure')
          .values({ subject, ...change })
          .onConflict((oc) => oc.column('subject').doUpdateSet(change))
          .execute()
      }
    })
  }

  /**
   * The account's failures are forgotten; of the origin's only this try, since one good account
   * must not buy tries at others.
   */
  async succeeded(name: string, origin: Origin, guessed: Guessed = 'account'): Promise<void> {
    const [[own], ...others] = subjectsOf(guessed, name, origin)
    await this.store.deleteFrom('login_failure').where('subject', '=', own).execute()
    await this.#takeBack(others.map(([subject]) => subject))
  }

  /**
   * Makes one try: null is a wrong answer, which stays counted; anything else is a right one. Who
   * throws could not say: an outage of whoever was asked is no failure of the person's, so the try
   * is given back.
   */
  async attempt<T>(
    name: string,
    origin: Origin,
    check: () => Promise<T | null>,
    guessed: Guessed = 'account',
  ): Promise<T | null> {
    await this.begin(name, origin, guessed)
    let answer: T | null
    try {
      answer = await check()
    } catch (error) {
      await this.#takeBack(subjectsOf(guessed, name, origin).map(([subject]) => subject))
      throw error
    }
    if (answer !== null) await this.succeeded(name, origin, guessed)
    return answer
  }

  /** As if one try had not been made. */
  async #takeBack(subjects: readonly string[]): Promise<void> {
    if (subjects.length === 0) return
    await this.store
      .updateTable('login_failure')
      .set((eb) => ({
        failures: eb
          .case()
          .when('failures', '>', 0)
          .then(eb('failures', '-', 1))
          .else(eb.lit(0))
          .end(),
        blocked_until: 0,
      }))
      .where('subject', 'in', subjects)
      .execute()
  }

  /** An administrator's word. Gives whether there was something to forget. */
  async unlock(name: string): Promise<boolean> {
    const { numDeletedRows } = await this.store
      .deleteFrom('login_failure')
      .where((eb) =>
        eb.or([
          eb('subject', '=', subjectOf('account', name)),
          eb.and([
            eb('subject', '>=', knownOf(name, '')),
            eb('subject', '<', `${knownOf(name, '').slice(0, -1)};`), // the next sign after a colon
          ]),
        ]),
      )
      .executeTakeFirst()
    return numDeletedRows > 0n
  }

  /** Until when these accounts are blocked, by key. */
  async blocked(): Promise<ReadonlyMap<string, number>> {
    const rows = await this.store
      .selectFrom('login_failure')
      .select(['subject', 'blocked_until'])
      .where('blocked_until', '>', this.now())
      .where('subject', '>=', 'account:')
      .where('subject', '<', 'account;')
      .execute()
    return new Map(rows.map((row) => [row.subject.slice('account:'.length), row.blocked_until]))
  }
}

function subjectOf(guessed: Guessed, name: string): string {
  return `${guessed}:${nameKey(name)}`
}

function knownOf(name: string, place: string): string {
  return `known:${nameKey(name)}:${place}`
}

type Subject = readonly [subject: string, freeTries: number]

/** By what a try is counted; the first is the person's own, and is forgotten when they get in. */
function subjectsOf(guessed: Guessed, name: string, origin: Origin): [Subject, ...Subject[]] {
  return origin.known !== undefined && guessed === 'account'
    ? [[knownOf(name, origin.known), FREE_TRIES.known]]
    : [[subjectOf(guessed, name), FREE_TRIES.account], ...originSubjects(guessed, origin)]
}

/** New devices or addresses must not bring a new set of tries each. */
function originSubjects(guessed: Guessed, { address, device }: Origin): Subject[] {
  const prefix = guessed === 'account' ? '' : `${guessed}-`
  const at = (kind: string, freeTries: number): Subject[] => {
    const [subnet, site] = [subnetOf(address), siteOf(address)]
    const narrow: Subject = [`${prefix}${kind}:${subnet}`, freeTries]
    return site === subnet
      ? [narrow]
      : [narrow, [`${prefix}${kind}-site:${site}`, freeTries * TIMES_FOR_SITE]]
  }
  return device === undefined
    ? at('address', FREE_TRIES.address)
    : [[`${prefix}device:${device}`, FREE_TRIES.device], ...at('devices-at', FREE_TRIES.devices)]
}
