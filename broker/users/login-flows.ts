import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { secretHash } from './tokens.js'

/** Keeps what a login that has begun needs at its end, under a secret that only its beginner has. */
export async function keepFlow(
  store: Store,
  secret: string,
  kind: 'redirect' | 'device',
  provider: string,
  state: unknown,
  expiresAt: number,
): Promise<void> {
  await store
    .insertInto('login_flow')
    .values({
      hash: secretHash(secret),
      kind,
      provider,
      state: JSON.stringify(state),
      expires_at: expiresAt,
    })
    .execute()
}

/** Gives what was kept, once. */
export async function takeFlow(
  { store, now }: { readonly store: Store; readonly now: () => number },
  secret: string,
  kind: 'redirect' | 'device',
  provider: string,
): Promise<unknown> {
  return await inTransaction(store, async (tx) => {
    const row = await tx
      .selectFrom('login_flow')
      .selectAll()
      .where('hash', '=', secretHash(secret))
      .where('kind', '=', kind)
      .where('provider', '=', provider)
      .where('expires_at', '>', now())
      .executeTakeFirst()
    if (!row) return null
    await tx.deleteFrom('login_flow').where('hash', '=', row.hash).execute()
    return JSON.parse(row.state) as unknown
  })
}
