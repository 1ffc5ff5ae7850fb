import { stringify } from 'yaml'
import type { ApplyResult, PoolPolicy } from '../api/pools.js'
import type { Actor } from '../audit/store.js'
import { inTransaction } from '../store/transaction.js'
import { mapInTurns } from '../turn.js'
import { Applying, madeWith } from './applying.js'
import { membersByHand, poolGrants } from './as-documents.js'
import { requireGoldenOff } from './creating.js'
import { API_VERSION, readDocuments } from './document-forms.js'
import { listPools } from './listing.js'
import { defaultPolicy } from './policy.js'
import type { PoolsDeps } from './wishes.js'

/** Pools as documents: what a file says becomes what is, and what is can be written as a file. */
export class Documents {
  constructor(readonly deps: PoolsDeps) {}

  /**
   * Creates and changes what the documents name; what they do not name stays. All of it is wished
   * in one transaction: a refusal in the last document leaves the first one undone. Jobs then carry
   * the wishes out. `dryRun`: does the same, and takes it back.
   */
  async apply(yaml: string, dryRun: boolean, by: Actor): Promise<ApplyResult> {
    const { store } = this.deps
    const wanted = await readDocuments(yaml)
    const known = new Set(
      (await store.selectFrom('pool').select('name').execute()).map((pool) =>
        pool.name.toLowerCase(),
      ),
    )
    for (const pool of wanted.pools)
      if (!known.has(pool.name.toLowerCase())) await requireGoldenOff(this.deps, pool)
    return await inTransaction(store, async (tx) => {
      const result = await new Applying(this.deps, tx, by).all(wanted)
      if (dryRun) throw new DryRun({ ...result, jobs: [] })
      return result
    }).catch((error: unknown) => {
      if (error instanceof DryRun) return error.result
      throw error
    })
  }

  /** Every pool as a document that `apply` takes again. */
  async export(): Promise<string> {
    const { store } = this.deps
    const made = await madeWith(store)
    const [members, permissions] = [await membersByHand(store), await poolGrants(store)]
    const documents = await mapInTurns(await listPools(store, {}), (pool) => {
      const {
        id = '',
        namespace: _,
        initial: __,
        from,
        ...settings
      } = made.get(pool.name.toLowerCase()) ?? {}
      const [byHand, granted] = [members.get(String(id)), permissions.get(String(id))]
      return stringify(
        {
          apiVersion: API_VERSION,
          kind: 'Pool',
          metadata: {
            name: pool.name,
            ...(pool.namespace === '' ? {} : { namespace: pool.namespace }),
          },
          spec: {
            ...(from === undefined ? {} : { from }),
            size: pool.size,
            ...settings,
            ...differing(pool.policy),
            ...(granted === undefined ? {} : { permissions: granted }),
            ...(byHand === undefined ? {} : { members: byHand }),
          },
        },
        { lineWidth: 0 },
      )
    })
    return documents.join('---\n')
  }
}

/** Ends the transaction of a dry run. */
class DryRun extends Error {
  constructor(readonly result: ApplyResult) {
    super('a dry run')
  }
}

/** Of a policy, what is not as it is by itself. */
function differing(policy: PoolPolicy): Partial<PoolPolicy> {
  const defaults = defaultPolicy()
  return Object.fromEntries(
    Object.entries(policy).filter(
      ([field, value]) =>
        JSON.stringify(value) !== JSON.stringify(defaults[field as keyof PoolPolicy]),
    ),
  )
}
