import type { TFunction } from 'i18next'
import type { ErrorParameters } from '../../broker/api/common.js'

/** What the forms call the fields of the API. */
const LABELS = {
  name: 'machines.name',
  displayName: 'people.displayName',
  password: 'login.password',
  newPassword: 'login.password',
  oldPassword: 'login.oldPassword',
  roles: 'people.roles',
  count: 'machines.count',
  first: 'machines.first',
  memoryMib: 'machines.memoryMib',
  vcpus: 'machines.vcpus',
  diskGib: 'machines.disk',
  network: 'machines.network',
  firmware: 'machines.firmware',
  domainXml: 'machines.ownXml',
  parent: 'machines.parent',
  hypervisors: 'navigation.hypervisors',
  reason: 'desktops.reason',
  text: 'thinClients.text',
  address: 'hypervisors.address',
  port: 'hypervisors.port',
  displayAddress: 'hypervisors.displayAddress',
  maxStarts: 'hypervisors.maxStarts',
  size: 'pools.size',
  user: 'pools.person',
  from: 'pools.from',
  min: 'policy.min',
  max: 'policy.max',
  spares: 'policy.spares',
  maxPerUser: 'policy.maxPerUser',
  retention: 'policy.retention',
  disconnectGrace: 'policy.disconnectGrace',
  coolDown: 'policy.coolDown',
  maxSession: 'policy.maxSession',
  protocols: 'policy.protocols',
  timeZone: 'policy.timeZone',
  cron: 'policy.cron',
  schedule: 'policy.schedule',
  object: 'grants.object',
  subject: 'grants.subject',
  verbs: 'grants.may',
  deadline: 'drain.deadline',
  message: 'thinClients.text',
  path: 'images.importPath',
  since: 'audit.since',
  until: 'audit.until',
} as const

/** What a refused field lacks, by the broker's reason: the words for it, and the parameter that goes into them. */
const FAULTS = {
  field_too_short: ['tooShort', 'least'],
  field_too_long: ['tooLong', 'most'],
  field_too_small: ['tooSmall', 'least'],
  field_too_large: ['tooLarge', 'most'],
  field_number: ['number', ''],
  field_whole_number: ['number', ''],
  field_missing: ['missing', ''],
  field_form: ['form', 'form'],
  field_choices: ['oneOf', 'choices'],
  field_forms: ['oneOf', 'choices'],
} as const

/** Which field of a form was refused and why, in the form's own words; null where the refusal is of another kind. */
export function refusalWords(
  t: TFunction,
  { reason, parameters }: { readonly reason: string; readonly parameters: ErrorParameters },
): string | null {
  if (!isFault(reason)) return null
  const [fault, figure] = FAULTS[reason]
  const at = String(parameters['field']).split('.').slice(1)
  const named = at.findLast((part) => !/^\d+$/.test(part)) ?? at.join('.')
  const field = named in LABELS ? t(LABELS[named as keyof typeof LABELS]) : named
  return `${field}: ${t(`refusals.${fault}`, { figure: [parameters[figure] ?? ''].flat().join(', ') })}`
}

function isFault(reason: string): reason is keyof typeof FAULTS {
  return Object.hasOwn(FAULTS, reason)
}
