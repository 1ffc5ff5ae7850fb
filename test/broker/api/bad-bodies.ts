import { ERRORS } from '../../../broker/errors/codes.js'
import type { RawAnswer } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'

export const NAMES: ReadonlyArray<[string, string]> = [
  ['a space', 'pc 1'],
  ['a quote', 'pc"1'],
  ['an apostrophe', "pc'1"],
  ['a command', '$(reboot)'],
  ['a backtick', '`id`'],
  ['a way up', '../../etc/passwd'],
  ['dots', '..'],
  ['300 characters', 'a'.repeat(300)],
  ['unicode', 'büro'],
  ['an emoji', '🖥'],
  ['a right-to-left mark', 'pc\u202e1'],
  ['NUL', 'pc\u00001'],
  ['a line break', 'pc\n1'],
  ['a semicolon', 'pc;1'],
  ['a percent sign', 'pc%1'],
  ['nothing', ''],
  ['an option', '--force'],
]
export const VALUES: readonly unknown[] = [
  null,
  7,
  -1,
  1e309,
  true,
  [],
  {},
  [[]],
  '',
  'x'.repeat(3_000),
  '\u0000',
  { __proto__: null, constructor: 1 },
]

/** A body that is accepted, for each route that takes one; each field is then spoiled in turn. */
export const BODIES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'POST /api/v1/tokens': { name: 'ci', scopes: ['observe'], validForMs: 5_000 },
  'POST /api/v1/session': { name: 'alice', password: 'x' },
  'POST /api/v1/users': {
    name: 'alice',
    password: 'a long password',
    displayName: 'Alice',
    roles: ['staff'],
  },
  'PATCH /api/v1/users/:name': { disabled: true },
  'POST /api/v1/users/:name/password': { newPassword: 'a long password' },
  'POST /api/v1/directories/:name/test': { user: 'alice', password: 'x' },
  'POST /api/v1/events/verify': { head: '0'.repeat(64) },
  'PUT /api/v1/grants': {
    kind: 'machine',
    object: 'pc',
    subjectKind: 'user',
    subject: 'alice',
    verbs: ['start'],
  },
  'POST /api/v1/hypervisors': {
    name: 'hv9',
    address: '10.0.0.9',
    fingerprint: `SHA256:${'A'.repeat(43)}`,
    maxStarts: 2,
    directories: { images: '/a' },
  },
  'POST /api/v1/hypervisors/scan': { address: '127.0.0.1', port: 1 },
  'PATCH /api/v1/hypervisors/:name': { maxStarts: 2 },
  'POST /api/v1/hypervisors/:name/trust': { fingerprint: `SHA256:${'A'.repeat(43)}` },
  'PUT /api/v1/hypervisors/:name/maintenance': { on: true, reason: 'x' },
  'POST /api/v1/machines': {
    name: 'pc-1',
    type: 'simple',
    hypervisors: ['hv1'],
    count: 1,
    memoryMib: 64,
    network: 'none',
    diskGib: 1,
    domainXml: '<domain/>',
  },
  'POST /api/v1/machines/adopt': { hypervisor: 'hv1', name: 'other' },
  'PATCH /api/v1/machines/:name': { vcpus: 1 },
  'POST /api/v1/machines/:name/power': { action: 'start', timeoutMs: 0 },
  'PUT /api/v1/machines/:name/maintenance': { on: true, reason: 'x', children: false },
  'PUT /api/v1/machines/:name/discard-changes': { on: true },
  'POST /api/v1/machines/:name/copy': { source: 'src' },
  'POST /api/v1/machines/:name/populate': { generation: 'g1', force: false },
  'POST /api/v1/machines/:name/import': { path: '/srv/x.qcow2' },
  'POST /api/v1/machines/:name/console': { take: false, via: 'auto' },
  'POST /api/v1/thin-clients/ask': {
    macs: ['52:54:00:00:00:01'],
    hostname: 'desk',
    version: '1',
    waitMs: 0,
  },
  'POST /api/v1/thin-clients/report': { macs: ['52:54:00:00:00:01'], showing: null },
  'POST /api/v1/thin-clients/login': { macs: ['52:54:00:00:00:01'], name: 'alice', password: 'x' },
  'POST /api/v1/thin-clients/login/provider': { macs: ['52:54:00:00:00:01'], provider: 'corp' },
  'POST /api/v1/thin-clients/login/provider/poll': { macs: ['52:54:00:00:00:01'], handle: 'x' },
  'POST /api/v1/thin-clients/choose': { macs: ['52:54:00:00:00:01'], pool: 'office' },
  'POST /api/v1/thin-clients/logout': { macs: ['52:54:00:00:00:01'] },
  'POST /api/v1/thin-clients/done': {
    macs: ['52:54:00:00:00:01'],
    order: 'x',
    outcome: 'done',
    sentence: '',
  },
  'POST /api/v1/thin-clients/:id/message': { text: 'Hello.' },
  'PUT /api/v1/thin-clients/:id/assignment': { machine: 'pc' },
  'PUT /api/v1/clients-xml': { text: '<thin-clients/>' },
  'POST /api/v1/clients-xml/check': { text: '<thin-clients/>' },
}
/** Fields of free text: what is spoiled there is still text. */
const FREE_TEXT = new Set([
  'reason',
  'text',
  'domainXml',
  'note',
  'displayName',
  'password',
  'newPassword',
])
const TABLES = [
  'setting',
  'account',
  'token',
  'hypervisor',
  'machine',
  'generation',
  'job',
  'job_target',
  'job_lock',
  'assignment',
  'thin_client',
  'permission_grant',
  'account_role',
  'web_session',
] as const

export async function everything(broker: SimulatedBroker): Promise<string> {
  return JSON.stringify(
    await Promise.all(
      TABLES.map(async (table) =>
        (
          await broker.rows(
            `SELECT * FROM ${table} ${table === 'setting' ? "WHERE name <> 'assignments-last-look'" : ''} ORDER BY 1`,
          )
        ).map((row) => ({ ...row, last_used_at: null })),
      ),
    ),
  )
}

/** Adds to `faults` when an answer is not a refusal as it should be: a 4xx of the table of errors, with a sentence. */
export function refused(
  faults: string[],
  what: string,
  answer: RawAnswer,
  ...statuses: number[]
): void {
  const {
    code = '',
    message = '',
    requestId,
  } = (answer.body ?? {}) as { code?: string; message?: string; requestId?: string }
  const shown = `${what}: ${answer.status} ${answer.text.slice(0, 200)}`
  if (
    answer.status < 400 ||
    answer.status >= 500 ||
    (statuses.length > 0 && !statuses.includes(answer.status))
  )
    faults.push(shown)
  else if (!(code in ERRORS) || ERRORS[code as keyof typeof ERRORS].status !== answer.status)
    faults.push(`no code of the table: ${shown}`)
  else if (!/^.{5,400}\.$/s.test(message) || typeof requestId !== 'string')
    faults.push(`no sentence: ${shown}`)
}

/** Adds to `faults` when the refusal does not name the field. */
export function names(faults: string[], what: string, answer: RawAnswer, field: string): void {
  if (!answer.text.includes(field))
    faults.push(`${what}: the message does not name ${field}: ${answer.text.slice(0, 200)}`)
}

/** A spoiled value that happens to be one of the field's good ones. */
export function fits(field: string, value: unknown): boolean {
  if (typeof value === 'string')
    return (
      FREE_TEXT.has(field) ||
      (field === 'hostname' && value === '') ||
      (field === 'version' && value === '') ||
      (field === 'sentence' && value === '')
    )
  if (value === null || value === 1e309)
    return ['showing', 'machine'].includes(field) || value === 1e309 // JSON has no infinity: it is null
  if (typeof value === 'boolean')
    return ['on', 'force', 'children', 'disabled', 'take'].includes(field)
  if (value === 7)
    return ['count', 'port', 'maxStarts', 'vcpus', 'timeoutMs', 'waitMs', 'diskGib'].includes(field)
  if (Array.isArray(value) && value.length === 0) return field === 'roles'
  return (
    typeof value === 'object' &&
    !Array.isArray(value) &&
    field === 'directories' &&
    Object.keys(value).length === 0
  )
}
