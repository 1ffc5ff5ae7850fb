import { FormatRegistry, type Static, type TSchema, TypeRegistry } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { Hypervisor } from '../../broker/api/hypervisors.js'
import { Generation } from '../../broker/api/images.js'
import { Job } from '../../broker/api/jobs.js'
import { Machine, SpiceConsole } from '../../broker/api/machines.js'
import { ThinClient } from '../../broker/api/thin-clients.js'

FormatRegistry.Set('date-time', (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text))
TypeRegistry.Set<{ enum?: unknown[] }>(
  'Unsafe',
  (schema, value) => schema.enum?.includes(value) ?? true,
)

/** The value, if it is what the schema says; the stub cannot tell a story that the API does not. */
export function conforming<T extends TSchema>(schema: T, value: unknown): Static<T> {
  const error = Value.Errors(schema, value).First()
  if (error !== undefined)
    throw new Error(
      `not what the API says: ${error.path}: ${error.message}: ${JSON.stringify(error.value)}`,
    )
  return Value.Cast(schema, value)
}

export const NOW = '2026-11-21T10:00:00Z'
export const KEY = `SHA256:${'a'.repeat(43)}`
export const OTHER_KEY = `SHA256:${'b'.repeat(43)}`

export function hypervisor(more: Partial<Hypervisor> = {}): Hypervisor {
  return {
    name: 'hv1',
    address: '10.77.1.2',
    port: 22,
    displayAddress: '10.77.1.2',
    listenAddress: '10.77.1.2',
    listenAddressSetting: 'auto',
    state: 'up',
    reason: '',
    since: NOW,
    observed: { current: true, at: NOW, reason: '' },
    maintenance: false,
    drain: null,
    hostKeyFingerprint: KEY,
    virtType: 'qemu',
    virtTypeSetting: 'auto',
    directories: {
      images: '/var/lib/berth/images',
      overlays: '/var/lib/berth/overlays',
      transient: '/var/lib/berth/transient',
    },
    maxStarts: 4,
    machines: 2,
    capacity: {
      cores: 2,
      memoryMib: 24000,
      memoryFreeMib: 20480,
      imagesFreeBytes: 5 * 2 ** 30,
      imagesTotalBytes: 2 ** 34,
      overlaysFreeBytes: 2 ** 30,
    },
    versions: { libvirt: '9.0.0', qemu: '7.2.0', helper: 'abc' },
    ...more,
  }
}

export function machine(more: Partial<Machine> = {}): Machine {
  return {
    id: 'm-1',
    name: 'pc-01',
    type: 'vdi',
    hypervisor: 'hv1',
    parent: 'win11',
    generation: 'g2',
    renewPending: false,
    maintenance: false,
    maintenanceReason: '',
    discardChanges: true,
    discardOnReboot: false,
    memoryMib: 2048,
    vcpus: 2,
    network: 'network:default',
    firmware: 'bios',
    mac: '52:54:00:00:00:01',
    serial: 's1',
    power: 'running',
    powerReason: '',
    powerSince: NOW,
    viewersUnknown: '',
    viewers: ['10.0.0.9'],
    job: null,
    createdAt: NOW,
    ...more,
  }
}

export function target(
  name: string,
  more: Partial<Job['targets'][number]> = {},
): Job['targets'][number] {
  return { name, state: 'done', step: 'overlay', message: '', done: 0, total: 0, ...more }
}

export function job(more: Partial<Job> = {}): Job {
  const targets = more.targets ?? [target('pc-01'), target('pc-02')]
  return {
    id: '7',
    kind: 'populate',
    subject: 'win11',
    state: 'succeeded',
    message: '',
    createdBy: 'admin',
    createdAt: NOW,
    startedAt: NOW,
    finishedAt: null,
    done: targets.filter((it) => it.state === 'done').length,
    total: targets.length,
    targets,
    ...more,
  }
}

export const GENERATION: Generation = {
  name: 'g2',
  initial: 'win11',
  source: 'gold',
  state: 'ready',
  current: true,
  bytes: 2 ** 30,
  virtualBytes: 2 ** 34,
  sha256: null,
  method: 'convert',
  hypervisors: ['hv1'],
  machines: 2,
  createdAt: NOW,
}
export const CONSOLE: SpiceConsole = {
  protocol: 'spice',
  host: '10.77.1.2',
  tlsPort: 5901,
  password: 'ticket-of-thirty-seconds',
  ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  hostSubject: 'O=Berth,CN=hv1',
  title: 'pc-01',
  ticketSeconds: 30,
}
export const DEVICE: ThinClient = {
  id: 'd-1',
  mac: '02:00:00:00:00:01',
  address: '10.0.0.9',
  hostname: 'desk1',
  version: '0.1.0',
  state: 'ready',
  sentence: 'Showing pc-01.',
  machine: 'pc-01',
  assigned: null,
  assignedPool: null,
  here: true,
  person: null,
  macs: [{ mac: '02:00:00:00:00:01', believed: true }],
  name: '',
  askers: [],
  accepted: true,
  showing: 'pc-01',
  note: '',
  firstSeen: NOW,
  lastSeen: NOW,
}
