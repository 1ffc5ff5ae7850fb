import { createHash } from 'node:crypto'
import { type Test as T } from 'tap'
import { ERRORS } from '../../../broker/errors/codes.js'
import type { RawAnswer } from '../../support/api-client.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { office, poolOf } from '../pools/office.js'

export const NAMES = [
  'pc 1',
  'pc"1',
  "pc'1",
  '$(reboot)',
  '`id`',
  '../../etc/passwd',
  'a'.repeat(300),
  'büro',
  '🖥',
  'pc\u202e1',
  'pc\u00001',
  'pc\n1',
  'pc;1',
  'pc%1',
  '--force',
]
export const VALUES: readonly unknown[] = [
  null,
  7,
  -1,
  1.5,
  true,
  [],
  {},
  [[]],
  '',
  'x'.repeat(3_000),
  '\u0000',
  '$(id)',
  { __proto__: null, constructor: 1 },
]
const TABLES = [
  'pool',
  'pool_member',
  'desktop',
  'assignment',
  'waiter',
  'machine',
  'job',
  'permission_grant',
] as const

/** A body that is accepted, for each route that takes one; `policy` is spoiled field by field too. */
export const POLICY = {
  min: 1,
  max: 2,
  coolDown: 'PT1M',
  spares: 1,
  retention: 'PT1H',
  onRelease: 'stop',
  onExpiry: 'stop',
  disconnectGrace: 'PT1M',
  maxSession: 'PT8H',
  maxPerUser: 1,
  protocols: ['spice'],
  clipboard: true,
  fileTransfer: true,
  usb: true,
  loginOnAssignment: true,
  onShutdown: 'restart',
  timeZone: 'UTC',
  schedule: [{ cron: '0 7 * * *', do: 'spares', spares: 1 }],
}
export const BODIES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'POST /api/v1/pools': {
    name: 'new',
    from: 'golden-desktop',
    size: 1,
    namespace: 'x',
    hypervisors: ['hv1'],
    memoryMib: 64,
    vcpus: 1,
    network: 'none',
    discardChanges: true,
    policy: POLICY,
  },
  'PATCH /api/v1/pools/lab': { size: 1, force: false, policy: POLICY },
  'PUT /api/v1/pools/lab/maintenance': { on: true, reason: 'x' },
  'POST /api/v1/pools/lab/members': { machine: 'pc' },
  'POST /api/v1/pools/lab/claim': { wait: true, waitMs: 0 },
  'POST /api/v1/pools/lab/assign': { user: 'ann', machine: 'lab-1', fixed: true, waitMs: 0 },
  'POST /api/v1/machines/lab-1/assign': { user: 'ann', fixed: true, waitMs: 0 },
  'POST /api/v1/machines/lab-1/release': { force: true },
  'POST /api/v1/apply': { yaml: '', dryRun: true },
}
/** Values that the field may really have; each is left out. */
export const GOOD: Readonly<Record<string, (value: unknown) => boolean>> = {
  force: isBoolean,
  on: isBoolean,
  wait: isBoolean,
  fixed: isBoolean,
  dryRun: isBoolean,
  discardChanges: isBoolean,
  clipboard: isBoolean,
  fileTransfer: isBoolean,
  usb: isBoolean,
  loginOnAssignment: isBoolean,
  size: isSeven,
  vcpus: isSeven,
  waitMs: isSeven,
  min: isSeven,
  max: isSeven,
  spares: isSeven,
  maxPerUser: isSeven,
  maxSession: (value) => value === null,
  reason: isText,
  yaml: isText,
  schedule: (value) => Array.isArray(value) && value.length === 0,
  user: (value) => value === '$(id)',
  namespace: (value) => isText(value) && value.length < 64,
  policy: (value) => JSON.stringify(value) === '{}',
  timeZone: () => false,
}
function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean'
}
function isSeven(value: unknown): boolean {
  return value === 7
}
function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** A mark of each table's content. */
export const everything = async (broker: SimulatedBroker): Promise<string[]> =>
  await Promise.all(
    TABLES.map(
      async (table) =>
        `${table} ${createHash('sha256')
          .update(JSON.stringify(await broker.rows(`SELECT * FROM ${table} ORDER BY 1`)))
          .digest('hex')}`,
    ),
  )

/** A broker with a pool, a machine, and a list of the answers that were no clear refusals. */
export async function place(t: T): Promise<{
  broker: SimulatedBroker
  faults: string[]
  refused: (what: string, answer: RawAnswer, field?: string) => void
}> {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'lab', 1)
  await broker.admin
    .post('/machines', { name: 'pc', type: 'simple', hypervisors: ['hv1'], diskGib: 1 })
    .then(async (answer) => {
      await broker.admin.succeeded((answer as { job: string }).job)
    })
  await until(
    async () => (await broker.rows("SELECT 1 FROM machine WHERE power = 'unknown'")).length === 0,
    {
      withinMs: 5_000,
      what: 'every machine was seen',
    },
  )
  const faults: string[] = []
  const refused = (what: string, answer: RawAnswer, field?: string): void => {
    const { code = '', message = '' } = (answer.body ?? {}) as { code?: string; message?: string }
    const shown = `${what}: ${answer.status} ${answer.text.slice(0, 200)}`
    if (answer.status < 400 || answer.status >= 500 || !(code in ERRORS)) faults.push(shown)
    else if (!/^.{5,400}\.$/s.test(message)) faults.push(`no sentence: ${shown}`)
    else if (field !== undefined && !answer.text.includes(field))
      faults.push(`does not name ${field}: ${shown}`)
  }
  return { broker, faults, refused }
}
