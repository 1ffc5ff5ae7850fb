import type { TFunction } from 'i18next'
import type { ApiError } from '../api/client.js'

/** What the forms call the fields of the API. */
const LABELS = {
  name: 'machines.name', displayName: 'people.displayName', password: 'login.password', newPassword: 'login.password', oldPassword: 'login.oldPassword', roles: 'people.roles',
  count: 'machines.count', first: 'machines.first', memoryMib: 'machines.memoryMib', vcpus: 'machines.vcpus', diskGib: 'machines.disk', network: 'machines.network', firmware: 'machines.firmware', domainXml: 'machines.ownXml', parent: 'machines.parent', hypervisors: 'navigation.hypervisors',
  reason: 'desktops.reason', text: 'thinClients.text', address: 'hypervisors.address', port: 'hypervisors.port', displayAddress: 'hypervisors.displayAddress', maxStarts: 'hypervisors.maxStarts',
  size: 'pools.size', user: 'pools.person', from: 'pools.from', min: 'policy.min', max: 'policy.max', spares: 'policy.spares', maxPerUser: 'policy.maxPerUser', retention: 'policy.retention', disconnectGrace: 'policy.disconnectGrace', coolDown: 'policy.coolDown', maxSession: 'policy.maxSession',
  protocols: 'policy.protocols', timeZone: 'policy.timeZone', cron: 'policy.cron', schedule: 'policy.schedule', object: 'grants.object', subject: 'grants.subject', verbs: 'grants.may', deadline: 'drain.deadline', message: 'thinClients.text', path: 'images.importPath', since: 'audit.since', until: 'audit.until',
} as const

type Fault = 'tooShort' | 'tooLong' | 'tooSmall' | 'tooLarge' | 'number' | 'missing' | 'form'
/** As the broker's validator says it; what is in brackets is the figure. */
const FAULTS: ReadonlyArray<readonly [RegExp, Fault]> = [
  [/^must NOT have fewer than (\d+)/, 'tooShort'], [/^must NOT have more than (\d+)/, 'tooLong'], [/^must be >=? (-?[\d.]+)/, 'tooSmall'], [/^must be <=? (-?[\d.]+)/, 'tooLarge'],
  [/^must be (?:integer|number)/, 'number'], [/^must have required property/, 'missing'], [/^must/, 'form'],
]
const REFUSED = /^(?:body|querystring|params)\.?([\w.]*): (must .*?)\.?$/

/** Which field of a form was refused and why, in the form's own words; null where the refusal is of another kind. */
export function refusalWords (t: TFunction, { code, message }: ApiError): string | null {
  const [, at = '', what = ''] = (code === 'invalid_request' && REFUSED.exec(message)) || []
  const [pattern, fault] = FAULTS.find(([one]) => one.test(what)) ?? []
  if (pattern === undefined || fault === undefined) return null
  const named = fault === 'missing' ? /'(\w+)'/.exec(what)?.[1] ?? '' : at.split('.').findLast((part) => !/^\d*$/.test(part)) ?? ''
  const field = named in LABELS ? t(LABELS[named as keyof typeof LABELS]) : named
  return `${field === '' ? '' : `${field}: `}${t(`refusals.${fault}`, { figure: pattern.exec(what)?.[1] ?? '' })}`
}
