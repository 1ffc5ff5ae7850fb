import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { BERTH, recordEvent } from '../audit/store.js'
import type { Store } from '../store/open.js'
import { writePrivate } from '../store/private-file.js'
import { inTransaction } from '../store/transaction.js'
import { hashPassword } from './passwords.js'

/**
 * Makes the account `admin` when there is none yet; its random password goes into a file that
 * only the broker's user may read.
 */
export async function createFirstAdministrator(
  store: Store,
  passwordFile: string,
): Promise<boolean> {
  const { count } = await store
    .selectFrom('account')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  if (count > 0) return false
  const password = randomBytes(18).toString('base64url')
  if (!existsSync(passwordFile)) writePrivate(passwordFile, `${password}\n`)
  const passwordHash = await hashPassword(password)
  await inTransaction(store, async (tx) => {
    await tx
      .insertInto('account')
      .values({
        name: 'admin',
        name_key: 'admin',
        source: 'local',
        subject: null,
        password_hash: passwordHash,
        created_at: Date.now(),
        last_login_at: null,
      })
      .execute()
    await tx
      .insertInto('account_role')
      .values({ account: 'admin', role: 'admin', source: 'local' })
      .execute()
    await recordEvent(tx, BERTH, 'account.create', 'account:admin', {
      after: { source: 'local', roles: ['admin'] },
    })
  })
  writePrivate(passwordFile, `${password}\n`)
  return true
}
