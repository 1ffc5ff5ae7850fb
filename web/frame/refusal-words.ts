import type { TFunction } from 'i18next'

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

/** As the broker's validator says it (broker/validation.ts); what is in brackets goes into the words. */
const FAULTS = [
  [/^must be (?:string|array) length (?:to be )?greater or equal to (\d+)/, 'tooShort'],
  [/^must be (?:string|array) length (?:to be )?less or equal to (\d+)/, 'tooLong'],
  [/^must be \w+ to be greater or equal to (-?[\d.]+)/, 'tooSmall'],
  [/^must be \w+ to be less or equal to (-?[\d.]+)/, 'tooLarge'],
  [/^must be (?:integer|number)$/, 'number'],
  [/^is missing/, 'missing'],
  [/^is not of this form: (.*)/, 'form'],
  [/^must be one of (?:these: )?(.*)/, 'oneOf'],
] as const
const REFUSED = /^(?:body|querystring|params)\.([\w.]+): ((?:must|is) .*?)\.?$/

/** Which field of a form was refused and why, in the form's own words; null where the refusal is of another kind. */
export function refusalWords(
  t: TFunction,
  { code, message }: { readonly code: string; readonly message: string },
): string | null {
  const [, at = '', what = ''] = (code === 'invalid_request' && REFUSED.exec(message)) || []
  const [pattern, fault] = FAULTS.find(([one]) => one.test(what)) ?? []
  if (pattern === undefined || fault === undefined) return null
  const named = at.split('.').findLast((part) => !/^\d+$/.test(part)) ?? at
  const field = named in LABELS ? t(LABELS[named as keyof typeof LABELS]) : named
  return `${field}: ${t(`refusals.${fault}`, { figure: pattern.exec(what)?.[1] ?? '' })}`
}
