import type { ApplyResult } from '../../../broker/api/pools.js'
import { readDocuments } from '../../../broker/pools/document-reading.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'

/* As they stand in VM-Operator's manual (https://vm-operator.jdrupes.org/pools.html), unchanged. */
export const SEED_POOL = `apiVersion: "vmoperator.jdrupes.org/v1"
kind: VmPool
metadata:
  namespace: vmop-dev
  name: test-vms
spec:
  retention: "PT4h"
  loginOnAssignment: true
  permissions:
  - user: admin
    may:
    - accessConsole
    - start
  - role: user
    may:
    - accessConsole
    - start
`
export const SEED_MACHINE = `apiVersion: "vmoperator.jdrupes.org/v1"
kind: VirtualMachine

spec:
  pools:
    - test-vms
`
export const apply = async (
  broker: SimulatedBroker,
  yaml: string,
  dryRun = false,
): Promise<ApplyResult> => await broker.admin.post<ApplyResult>('/apply', { yaml, dryRun })
export const exported = async (broker: SimulatedBroker): Promise<string> =>
  (await broker.admin.get<{ yaml: string }>('/export')).yaml
/** What a change causes follows it at once, or when its host was looked at. */
const AT_REST_MS = 1_500
export const everything = async (broker: SimulatedBroker): Promise<string> =>
  JSON.stringify(
    await Promise.all(
      ['pool', 'pool_member', 'desktop', 'permission_grant', 'machine', 'job', 'event'].map(
        async (table) => await broker.rows(`SELECT * FROM ${table} ORDER BY 1`),
      ),
    ),
  )
/**
 * Everything, once nothing more changes by itself: no job is open, every host was looked at after
 * the last one, and no more desktops are started or stopped.
 */
export async function atRest(broker: SimulatedBroker): Promise<string> {
  let [before, sinceMs] = ['', performance.now()]
  await until(
    async () => {
      const now = await everything(broker)
      const isOpen =
        (
          await broker.rows(
            "SELECT 1 FROM machine WHERE power = 'unknown' UNION ALL SELECT 1 FROM job WHERE finished_at IS NULL",
          )
        ).length > 0
      if (isOpen || now !== before) [before, sinceMs] = [now, performance.now()]
      return performance.now() - sinceMs > AT_REST_MS
    },
    { withinMs: 30_000, what: 'all is at rest' },
  )
  return before
}
/** `line 3 message` of each fault that `readDocuments` finds. */
export async function faultsOf(yaml: string): Promise<string[]> {
  try {
    await readDocuments(yaml)
    return []
  } catch (error) {
    return (error as { details: Array<{ line: number; message: string }> }).details.map(
      ({ line, message }) => `${line} ${message}`,
    )
  }
}
