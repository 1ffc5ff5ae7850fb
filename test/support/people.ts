import { createHash, randomBytes } from 'node:crypto'
import type { Scope, Verb } from '../../broker/api/permissions.js'
import { ApiClient } from './api-client.js'
import type { SimulatedBroker } from './simulated-broker.js'

/**
 * Puts a person with these roles into the database, and gives a client with a token of his; without
 * scopes it may all that he may.
 */
export async function addPerson(
  broker: SimulatedBroker,
  name: string,
  {
    roles = [],
    scopes = null,
  }: { readonly roles?: readonly string[]; readonly scopes?: readonly Scope[] | null } = {},
): Promise<ApiClient> {
  const token = `berth_${randomBytes(16).toString('hex')}`
  await broker.run(
    'INSERT INTO account (name, name_key, source, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    name,
    name.toLowerCase(),
    'local',
    Date.now(),
  )
  for (const role of roles)
    await broker.run(
      'INSERT INTO account_role (account, role, source) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      name,
      role,
      'local',
    )
  await broker.run(
    'INSERT INTO token (hash, account, name, kind, scopes, created_at) VALUES (?, ?, ?, ?, ?, ?)',
    createHash('sha256').update(token).digest('hex'),
    name,
    token.slice(0, 20),
    'program',
    scopes?.join(',') ?? null,
    Date.now(),
  )
  return new ApiClient(broker.url, broker.ca, token)
}

/** Grants a person verbs on a machine or pool. */
export async function allow(
  broker: SimulatedBroker,
  user: string,
  verbs: readonly Verb[],
  object: string,
  kind: 'machine' | 'pool' = 'machine',
): Promise<void> {
  await broker.admin.put('/grants', { kind, object, subjectKind: 'user', subject: user, verbs })
}
