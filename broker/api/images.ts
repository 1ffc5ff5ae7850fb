import { type Static, Type } from '@sinclair/typebox'
import { AbsolutePath, Instant, Name, nullable, oneOf, strictObject } from './common.js'

export const GENERATION_PATTERN = '^g[1-9][0-9]{0,8}$'
export const GenerationName = Type.String({ pattern: GENERATION_PATTERN, description: 'g1, g2, …' })

/** copying: being written; ready; collecting: unused, being removed; failed: nothing was left behind. */
export const GENERATION_STATES = ['copying', 'ready', 'collecting', 'failed'] as const
export const Generation = strictObject({
  name: GenerationName,
  initial: Name,
  source: nullable(Name),
  state: oneOf(GENERATION_STATES),
  current: Type.Boolean(),
  bytes: nullable(Type.Integer()),
  virtualBytes: nullable(Type.Integer()),
  sha256: nullable(Type.String()),
  method: nullable(Type.String()),
  hypervisors: Type.Array(Name, { description: 'Where it lies complete' }),
  machines: Type.Integer({ description: 'Overlays on it' }),
  createdAt: Instant,
})
export type Generation = Static<typeof Generation>
export const GenerationList = strictObject({ generations: Type.Array(Generation) })
export type GenerationList = Static<typeof GenerationList>

export const CopyRequest = strictObject({ source: Type.Optional(Name) })
export const PopulateRequest = strictObject({
  generation: Type.Optional(GenerationName),
  force: Type.Optional(
    Type.Boolean({
      default: false,
      description: 'Machines in use are renewed too: their viewers are cut and their changes lost',
    }),
  ),
  start: Type.Optional(Type.Boolean({ default: false })),
})
export type PopulateRequest = Static<typeof PopulateRequest>
/**
 * What *populate* would do to one machine now. `inUse`: why it would be left for later, as somebody
 * uses it; with force it is cut off.
 */
export const PopulateTarget = strictObject({
  machine: Name,
  hypervisor: Name,
  power: Type.String(),
  generation: nullable(GenerationName),
  inUse: nullable(Type.String()),
})
export type PopulateTarget = Static<typeof PopulateTarget>
export const PopulatePreview = strictObject({
  generation: GenerationName,
  machines: Type.Array(PopulateTarget),
  carryTo: Type.Array(Name, { description: 'Hypervisors to which the image is carried first' }),
})
export type PopulatePreview = Static<typeof PopulatePreview>
export const PopulateQuery = strictObject({ generation: Type.Optional(GenerationName) })
/** `path`: a file in the import directory of the machine's hypervisor. */
export const ImportRequest = strictObject({ path: AbsolutePath })
export const JobRef = strictObject({ job: Type.String() })
export type JobRef = Static<typeof JobRef>
