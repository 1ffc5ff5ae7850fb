import { BrokerError } from '../errors.js'
import type { Store } from '../store/open.js'
import { nameKey } from './names.js'

/** account: passwords; code: codes that a thin client shows, so that who guesses those does not keep anybody from logging in. */
export type Guessed = 'account' | 'code'

/** Where a try comes from: an address, or a thin client that has shown its key, which counts for itself however many share its address. */
export type Origin = { readonly address: string } | { readonly device: string }

/**
 * So many wrong answers are a person who does not remember; later ones wait. An address may stand for a whole school, whose classes log in at the same
 * moment: a try counts until it was right. One person at a time sits at a thin client.
 */
const FREE_TRIES = { account: 5, address: 100, device: 20 } as const
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

/** Failed logins by account and by origin. They are kept over a restart, count for names that do not exist as well, and end by themselves. */
export class LoginLimits {
  constructor(readonly store: Store) {}

  /**
   * Counts a try as failed before it is made, so that many at once are no way around; `succeeded` takes it back. Throws `too_many_requests`, in the
   * same words whether the account exists or not.
   */
  async begin(name: string, origin: Origin, guessed: Guessed = 'account'): Promise<void> {
    const now = Date.now()
    await this.store.transaction().execute(async (tx) => {
      const subjects = [
        [subjectOf(guessed, name), FREE_TRIES.account],
        [
          originSubject(guessed, origin),
          'device' in origin ? FREE_TRIES.device : FREE_TRIES.address,
        ],
      ] as const
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
      const until = Math.max(0, ...rows.map((row) => row.blocked_until))
      if (until > now)
        throw new BrokerError(
          'too_many_requests',
          `Too many attempts: try again in ${Math.ceil((until - now) / 1000)} seconds.`,
        )
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

  /** The account's failures are forgotten; of the origin's only this try, since one good account must not buy tries at others. */
  async succeeded(name: string, origin: Origin, guessed: Guessed = 'account'): Promise<void> {
    await this.store.transaction().execute(async (tx) => {
      await tx.deleteFrom('login_failure').where('subject', '=', subjectOf(guessed, name)).execute()
      await tx
        .updateTable('login_failure')
        .set((eb) => ({ failures: eb('failures', '-', 1), blocked_until: 0 }))
        .where('subject', '=', originSubject(guessed, origin))
        .execute()
    })
  }

  /** An administrator's word. Gives whether there was something to forget. */
  async unlock(name: string): Promise<boolean> {
    const { numDeletedRows } = await this.store
      .deleteFrom('login_failure')
      .where('subject', '=', subjectOf('account', name))
      .executeTakeFirst()
    return numDeletedRows > 0n
  }

  /** Until when these accounts are blocked, by key. */
  async blocked(): Promise<ReadonlyMap<string, number>> {
    const rows = await this.store
      .selectFrom('login_failure')
      .select(['subject', 'blocked_until'])
      .where('blocked_until', '>', Date.now())
      .where('subject', 'like', 'account:%')
      .execute()
    return new Map(rows.map((row) => [row.subject.slice('account:'.length), row.blocked_until]))
  }
}

function subjectOf(guessed: Guessed, name: string): string {
  return `${guessed}:${nameKey(name)}`
}

function originSubject(guessed: Guessed, origin: Origin): string {
  const of = 'device' in origin ? `device:${origin.device}` : `address:${origin.address}`
  return guessed === 'account' ? of : `${guessed}-${of}`
}
