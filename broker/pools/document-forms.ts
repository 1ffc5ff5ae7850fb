import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { Composer, type Document, isMap, isScalar, LineCounter, Parser, visit } from 'yaml'
import { Name, oneOf, strictObject } from '../api/common.js'
import { PersonName, RoleName, VERBS } from '../api/permissions.js'
import { PoolCreate } from '../api/pools.js'
import { PoolPolicy } from '../api/pool-policy.js'
import { BrokerError } from '../errors.js'
import { OneAtATime } from '../one-at-a-time.js'
import { Turn } from '../turn.js'
import { refuseTooMuch } from './document-bounds.js'
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
const FORMS: Readonly<Record<string, TSchema>> = {
  [`${API_VERSION} Pool`]: OurPool,
  [`${SEED_API_VERSION} VmPool`]: SeedPool,
  [`${SEED_API_VERSION} VirtualMachine`]: SeedMachine,
}

const READINGS = new OneAtATime()

interface Fault {
  readonly line: number
  readonly message: string
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

/**
 * Reads documents, one after the other; others have their turn in between. Throws `invalid_request`
 * with every fault, each with its line.
 */
export async function readDocuments(yaml: string): Promise<Wanted> {
  refuseTooMuch(yaml)
  return await READINGS.run(() => read(yaml))
}

async function read(yaml: string): Promise<Wanted> {
  const lines = new LineCounter()
  const lineAt = (offset: number): number => lines.linePos(offset).line
  const composer = new Composer({ prettyErrors: false })
  const malformed: Fault[] = []
  const faults: Fault[] = []
  const wanted: Wanted = { pools: [], machines: [], warnings: [] }
  const turn = new Turn()
  for (const document of composer.compose(new Parser(lines.addNewLine).parse(yaml))) {
    for (const { pos, message } of document.errors)
      malformed.push({ line: lineAt(pos[0]), message })
    if (malformed.length === 0) faults.push(...readDocument(document, lineAt, wanted))
    await turn.passed()
  }
  // Where the text is no YAML, what it means is a guess.
  if (malformed.length > 0) throw refusal(malformed)
  if (faults.length > 0) throw refusal(faults)
  return wanted
}

/** The sentence has the first fault, the details have them all, in the order of their lines. */
export function refusal(faults: readonly Fault[]): BrokerError {
  const sorted = [...faults].sort((a, b) => a.line - b.line)
  const [first] = sorted
  const more =
    sorted.length === 1
      ? ''
      : ` (${sorted.length - 1} more ${sorted.length === 2 ? 'fault' : 'faults'} in the details)`
  return new BrokerError(
    'invalid_request',
    `The documents are refused, line ${first?.line ?? 1}: ${(first?.message ?? '').replace(/\.$/, '')}${more}.`,
    { details: sorted },
  )
}

function readDocument(
  document: Document,
  lineAt: (offset: number) => number,
  wanted: Wanted,
): Fault[] {
  const alias = aliasIn(document)
  if (alias !== null)
    return [
      { line: lineAt(alias), message: 'an alias (*) stands for something else: write it out' },
    ] // a few lines of them can mean gigabytes
  const value: unknown = document.toJS()
  if (value === null) return [] // an empty document between two lines of dashes
  const first = lineAt(document.contents?.range?.[0] ?? 0)
  const { apiVersion = '', kind = '' } = (typeof value === 'object' ? value : {}) as {
    apiVersion?: string
    kind?: string
  }
  const form = FORMS[`${String(apiVersion)} ${String(kind)}`]
  if (!form)
    return [
      {
        line: first,
        message:
          `apiVersion "${String(apiVersion)}" with kind "${String(kind)}" is not known: ` +
          `use ${Object.keys(FORMS).join(', or ')}`,
      },
    ]
  const faults = [...Value.Errors(form, value)].map((error): Fault => ({
    line: lineOf(document, error.path, first, lineAt),
    message: `${error.path.slice(1).replaceAll('/', '.') || 'the document'} ${error.message}`,
  }))
  // A value that is of none of several forms is a fault of each of them: the first says enough.
  if (faults.length > 0)
    return faults.filter(
      ({ message }, index) =>
        faults.findIndex((other) => other.message.split(' ')[0] === message.split(' ')[0]) ===
        index,
    )
  take(value, wanted, first)
  return whoFaults(value, (path) => lineOf(document, path, first, lineAt))
}

/** Where the first alias stands, or null. */
function aliasIn(document: Document): number | null {
  let offset: number | null = null
  visit(document, {
    Alias: (_key, node) => {
      offset = node.range?.[0] ?? 0
      return visit.BREAK
    },
  })
  return offset
}

function lineOf(
  document: Document,
  path: string,
  first: number,
  lineAt: (offset: number) => number,
): number {
  const steps = path.split('/').slice(1)
  for (let length = steps.length; length > 0; length -= 1) {
    const parent =
      length === 1 ? document.contents : document.getIn(steps.slice(0, length - 1).map(key), true)
    const pair = isMap(parent)
      ? parent.items.find(
          (item) => isScalar(item.key) && String(item.key.value) === steps[length - 1],
        )
      : undefined
    if (pair && isScalar(pair.key) && pair.key.range) return lineAt(pair.key.range[0])
    const node = document.getIn(steps.slice(0, length).map(key), true) as
      { range?: [number, number, number] } | undefined
    if (node?.range) return lineAt(node.range[0])
  }
  return first
}

function key(step: string): string | number {
  return /^\d+$/.test(step) ? Number(step) : step
}

function whoFaults(value: unknown, line: (path: string) => number): Fault[] {
  const { permissions = [] } = (value as { spec?: { permissions?: WantedGrant[] } }).spec ?? {}
  return permissions.flatMap((one, index) =>
    (one.user === undefined) === (one.role === undefined)
      ? [
          {
            line: line(`/spec/permissions/${index}`),
            message: `spec.permissions.${index} must name a user or a role, one of both`,
          },
        ]
      : [],
  )
}

function take(value: unknown, wanted: Wanted, line: number): void {
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
