import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { Name, oneOf, strictObject } from '../api/common.js'
import { PersonName, RoleName, VERBS } from '../api/permissions.js'
import { PoolCreate } from '../api/pools.js'
import { PoolPolicy } from '../api/pool-policy.js'
import { nameKey } from '../users/names.js'

export const API_VERSION = 'berth/v1'
/** The form of the system whose pools these were (https://vm-operator.jdrupes.org/pools.html). */
const SEED_API_VERSION = 'vmoperator.jdrupes.org/v1'
const SEED_VERBS = ['start', 'stop', 'reset', 'accessConsole', 'takeConsole', '*'] as const
/** There, * means these; here it would mean more. */
const SEED_ALL = ['start', 'stop', 'reset', 'accessConsole', 'takeConsole']

const who = { user: Type.Optional(PersonName), role: Type.Optional(RoleName) }
const Permission = strictObject({ ...who, may: Type.Array(oneOf(VERBS), { minItems: 1 }) })
const SeedPermission = strictObject({ ...who, may: Type.Optional(Type.Array(oneOf(SEED_VERBS))) })
const Metadata = strictObject({
  name: PoolCreate.properties.name,
  namespace: Type.Optional(Type.String({ maxLength: 63 })),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
})

const OurPool = strictObject({
  apiVersion: Type.Literal(API_VERSION),
  kind: Type.Literal('Pool'),
  metadata: Metadata,
  spec: strictObject({
    ...Type.Omit(PoolCreate, ['name', 'namespace', 'policy']).properties,
    ...Type.Partial(PoolPolicy).properties,
    permissions: Type.Optional(Type.Array(Permission)),
    members: Type.Optional(Type.Array(Name, { description: 'Machines added by hand' })),
  }),
})
const SeedPool = strictObject({
  apiVersion: Type.Literal(SEED_API_VERSION),
  kind: Type.Literal('VmPool'),
  metadata: Metadata,
  spec: strictObject({
    retention: Type.Optional(PoolPolicy.properties.retention),
    loginOnAssignment: Type.Optional(Type.Boolean()),
    permissions: Type.Optional(Type.Array(SeedPermission)),
  }),
})
/** Of a machine only its pools are taken; the rest describes a Kubernetes pod. */
const SeedMachine = Type.Object({
  apiVersion: Type.Literal(SEED_API_VERSION),
  kind: Type.Literal('VirtualMachine'),
  metadata: Type.Optional(
    Type.Object({ name: Type.Optional(Name), namespace: Type.Optional(Type.String()) }),
  ),
  spec: Type.Object({ pools: Type.Optional(Type.Array(PoolCreate.properties.name)) }),
})
export const FORMS: Readonly<Record<string, TSchema>> = {
  [`${API_VERSION} Pool`]: OurPool,
  [`${SEED_API_VERSION} VmPool`]: SeedPool,
  [`${SEED_API_VERSION} VirtualMachine`]: SeedMachine,
}
export interface WantedGrant {
  readonly user?: string
  readonly role?: string
  readonly may: readonly string[]
}
/** What a document wants of a pool; what is absent stays as it is. */
export interface WantedPool {
  readonly name: string
  readonly line: number
  readonly namespace?: string
  readonly from?: string
  readonly size?: number
  readonly settings: Partial<PoolCreate>
  readonly policy: Partial<PoolPolicy>
  readonly permissions?: readonly WantedGrant[]
  readonly members?: readonly string[]
}
export interface Wanted {
  readonly pools: WantedPool[]
  readonly machines: Array<{ name: string; pools: readonly string[] }>
  readonly warnings: string[]
}

export function take(value: unknown, wanted: Wanted, line: number): void {
  if (Value.Check(OurPool, value)) wanted.pools.push({ ...ourPool(value), line })
  else if (Value.Check(SeedPool, value)) wanted.pools.push({ ...seedPool(value), line })
  else if (Value.Check(SeedMachine, value)) {
    const { metadata, spec } = value
    if (metadata?.name === undefined)
      wanted.warnings.push(
        `line ${line}: the VirtualMachine has no metadata.name: nothing is done with it.`,
      )
    else wanted.machines.push({ name: metadata.name, pools: spec.pools ?? [] })
    const ignored = Object.keys(spec).filter((field) => field !== 'pools')
    if (ignored.length > 0)
      wanted.warnings.push(
        `line ${line}: of a VirtualMachine only spec.pools is ` +
          `taken; ${ignored.join(', ')} ${ignored.length === 1 ? 'is' : 'are'} left out.`,
      )
  }
}

function ourPool({ metadata, spec }: Static<typeof OurPool>): Omit<WantedPool, 'line'> {
  const {
    from,
    size,
    hypervisors,
    memoryMib,
    vcpus,
    network,
    discardChanges,
    permissions,
    members,
    ...policy
  } = spec
  const settings = Object.fromEntries(
    Object.entries({ hypervisors, memoryMib, vcpus, network, discardChanges }).filter(
      ([, one]) => one !== undefined,
    ),
  )
  return {
    name: metadata.name,
    settings,
    policy,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    ...(from === undefined ? {} : { from }),
    ...(size === undefined ? {} : { size }),
    ...(permissions === undefined ? {} : { permissions: joined(permissions) }),
    ...(members === undefined ? {} : { members }),
  }
}

function seedPool({ metadata, spec }: Static<typeof SeedPool>): Omit<WantedPool, 'line'> {
  const { permissions, ...policy } = spec
  return {
    name: metadata.name,
    settings: {},
    policy,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    ...(permissions === undefined
      ? {}
      : {
          permissions: joined(
            permissions.map(({ may = ['accessConsole'], ...rest }) => ({
              ...rest,
              may: may.includes('*') ? SEED_ALL : may,
            })),
          ),
        }),
  }
}

/** Somebody who is named twice may do what stands in either place. */
function joined(grants: readonly WantedGrant[]): WantedGrant[] {
  const whom = ({ user, role = '' }: WantedGrant): string =>
    user === undefined ? `role ${nameKey(role)}` : `user ${nameKey(user)}`
  const all = new Map<string, WantedGrant>()
  for (const grant of grants)
    all.set(whom(grant), {
      ...grant,
      ...(grant.role === undefined ? {} : { role: nameKey(grant.role) }),
      may: [...new Set([...(all.get(whom(grant))?.may ?? []), ...grant.may])],
    })
  return [...all.values()]
}
