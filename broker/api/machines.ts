import { type Static, Type } from '@sinclair/typebox'
import {
  Address,
  Instant,
  MacAddress,
  Name,
  Reason,
  nullable,
  oneOf,
  strictObject,
} from './common.js'

export const MACHINE_TYPES = ['simple', 'source', 'initial', 'vdi'] as const
export const MachineType = oneOf(MACHINE_TYPES)
export type MachineType = Static<typeof MachineType>

/**
 * As libvirt tells it. missing: no such domain on its hypervisor. unknown: the hypervisor has not
 * been asked yet or does not answer.
 */
export const POWER_STATES = [
  'running',
  'off',
  'paused',
  'suspended',
  'crashed',
  'shutting-down',
  'missing',
  'unknown',
] as const
export const PowerState = oneOf(POWER_STATES)
export type PowerState = Static<typeof PowerState>

export const POWER_ACTIONS = ['start', 'shutdown', 'reboot', 'reset', 'poweroff'] as const
export const PowerAction = oneOf(POWER_ACTIONS, {
  description:
    'shutdown asks the guest (ACPI) and pulls the plug after the stated time; poweroff pulls it at once',
})
export type PowerAction = Static<typeof PowerAction>
export const FIRMWARES = ['bios', 'uefi'] as const

export const Machine = strictObject({
  id: Type.String(),
  name: Name,
  type: MachineType,
  hypervisor: Name,
  parent: nullable(Name),
  generation: nullable(
    Type.String({
      description: 'vdi: the generation its overlay stands on; initial: the current one',
    }),
  ),
  renewPending: Type.Boolean({
    description: 'Moved to the wanted generation when it is next released',
  }),
  maintenance: Type.Boolean(),
  maintenanceReason: Type.String(),
  discardChanges: Type.Boolean({
    description: 'The virtual snapshot: changes are thrown away at power-off',
  }),
  discardOnReboot: Type.Boolean({
    description:
      'A reboot counts as power-off (libvirt on_reboot=destroy); the broker starts the machine again',
  }),
  memoryMib: Type.Integer(),
  vcpus: Type.Integer(),
  network: Type.String(),
  firmware: oneOf(FIRMWARES),
  mac: MacAddress,
  serial: Type.String(),
  power: PowerState,
  powerReason: Type.String(),
  powerSince: Instant,
  viewers: Type.Array(Type.String(), { description: 'Addresses of the viewers connected now' }),
  viewersUnknown: Type.String({
    description:
      'Why it is not known who is connected, such as a QEMU that hangs; then it counts as in use. Empty: it is known',
  }),
  job: nullable(Type.String({ description: 'The job that works on it now' })),
  createdAt: Instant,
})
export type Machine = Static<typeof Machine>

export const Network = Type.String({
  pattern:
    '^(none|network:[A-Za-z0-9][A-Za-z0-9._-]{0,59}|bridge:[A-Za-z0-9][A-Za-z0-9._-]{0,14})$',
  description: 'network:NAME (libvirt network), bridge:NAME, or none',
})

const hardware = {
  memoryMib: Type.Optional(Type.Integer({ minimum: 32, maximum: 4194304, default: 2048 })),
  vcpus: Type.Optional(Type.Integer({ minimum: 1, maximum: 512, default: 2 })),
  network: Type.Optional({ ...Network, default: 'network:default' }),
  firmware: Type.Optional(oneOf(FIRMWARES, { default: 'bios' })),
  domainXml: Type.Optional(
    Type.String({
      maxLength: 262144,
      description:
        "A domain.xml of one's own; name, uuid, system disk, MACs, displays and metadata are filled in by Berth",
    }),
  ),
}

/** `name` may hold {n}, {nn}, {nnn}…: a number padded to that many digits; needed when count is above 1. */
export const MachineCreate = strictObject({
  name: Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9._{}-]{0,62}$',
    description:
      'Letters, digits, dot, dash, underscore, and {n} or {nn} for a number; starts with a letter or digit; at most 63',
  }),
  type: MachineType,
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 1 })),
  first: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 1000000, default: 1, description: 'The first number' }),
  ),
  hypervisors: Type.Array(Name, {
    minItems: 1,
    maxItems: 64,
    description: 'More than one: machines are spread evenly',
  }),
  parent: Type.Optional(Name),
  diskGib: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 16384,
      default: 20,
      description: 'simple and source only',
    }),
  ),
  discardChanges: Type.Optional(Type.Boolean({ default: false })),
  discardOnReboot: Type.Optional(Type.Boolean({ default: false })),
  ...hardware,
})
export type MachineCreate = Static<typeof MachineCreate>

export const MachineAdopt = strictObject({
  hypervisor: Name,
  name: Name,
  type: Type.Optional(MachineType),
  parent: Type.Optional(Name),
})
export type MachineAdopt = Static<typeof MachineAdopt>

export const MachinePatch = strictObject(
  {
    type: Type.Optional(MachineType),
    parent: Type.Optional(nullable(Name)),
    memoryMib: Type.Optional(Type.Integer({ minimum: 32, maximum: 4194304 })),
    vcpus: Type.Optional(Type.Integer({ minimum: 1, maximum: 512 })),
    network: hardware.network,
    domainXml: hardware.domainXml,
  },
  { minProperties: 1 },
)
export type MachinePatch = Static<typeof MachinePatch>

/** children: the machines made from this one instead of the machine itself. */
export const PowerRequest = strictObject({
  action: PowerAction,
  children: Type.Optional(Type.Boolean({ default: false })),
  timeoutMs: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 3600000,
      description: 'shutdown: how long the guest may take; absent: the setting shutdown-timeout',
    }),
  ),
})
export type PowerRequest = Static<typeof PowerRequest>
export const MachineMaintenance = strictObject({
  on: Type.Boolean(),
  reason: Type.Optional(Reason),
  children: Type.Optional(Type.Boolean({ default: false })),
})
export const DiscardChanges = strictObject({
  on: Type.Boolean(),
  onReboot: Type.Optional(Type.Boolean()),
  children: Type.Optional(Type.Boolean({ default: false })),
})
export type DiscardChanges = Static<typeof DiscardChanges>

export const MachineList = strictObject({ machines: Type.Array(Machine) })
export type MachineList = Static<typeof MachineList>
export const MachineQuery = strictObject({
  hypervisor: Type.Optional(Name),
  type: Type.Optional(MachineType),
  parent: Type.Optional(Name),
})
export const MachinesAndJob = strictObject({
  machines: Type.Array(Machine),
  job: nullable(Type.String({ description: 'The job that carries it out' })),
  notes: Type.Optional(
    Type.Array(Type.String(), {
      description: 'What one ought to know of a domain that was adopted, in sentences',
    }),
  ),
})
export type MachinesAndJob = Static<typeof MachinesAndJob>
/** A domain that libvirt knows and Berth does not. */
export const ForeignDomain = strictObject({
  hypervisor: Name,
  name: Type.String(),
  power: PowerState,
})
export type ForeignDomain = Static<typeof ForeignDomain>

/**
 * What Berth still removes from a host: a failed job could not take it back, or its machine was
 * deleted while the host was away.
 */
export const Leftover = strictObject({
  hypervisor: Name,
  kind: oneOf(['domain', 'image', 'overlay'] as const),
  name: Type.String(),
  notedAt: Type.String(),
  /** Why the last try did not succeed; empty before the first. */
  fault: Type.String(),
})
export type Leftover = Static<typeof Leftover>

/** Who has a console: a person's account, or a thin client by its MAC. */
export const Holder = strictObject({
  kind: oneOf(['person', 'device'] as const),
  name: Type.String(),
})
export type Holder = Static<typeof Holder>

/** What a viewer needs for one connection; the ticket is valid for `ticketSeconds` and one viewer. */
export const SpiceConsole = strictObject({
  protocol: Type.Literal('spice'),
  host: Address,
  tlsPort: Type.Integer(),
  password: Type.String(),
  ca: Type.String({ description: 'PEM' }),
  hostSubject: Type.String(),
  title: Type.String(),
  ticketSeconds: Type.Integer(),
  proxy: Type.Optional(
    Type.String({
      pattern: '^http://[A-Za-z0-9.:\\[\\]-]+$',
      description: 'The console proxy; `host` is then a token that it knows',
    }),
  ),
  usb: Type.Optional(Type.Boolean({ description: 'false: USB devices may not be redirected' })),
  taken: Type.Optional(
    strictObject(
      { from: nullable(Holder), since: Instant },
      { description: 'Whose console was cut for this one' },
    ),
  ),
})
export type SpiceConsole = Static<typeof SpiceConsole>
