import type Database from 'better-sqlite3'
import { defaultPolicy } from '../../broker/pools/policy.js'

export interface Site {
  /** How many of each kind: machines, pools of one machine, people, devices, jobs. */
  readonly count: number
  readonly hosts: number
  /** Of the one initial machine; a running broker collects those that nobody uses. */
  readonly generations: number
}

/** Midday of some day: times need only be plausible. */
const AT = 1_750_000_000_000

type Row = Readonly<Record<string, string | number | null>>

/**
 * Writes a site with so many of everything straight into a database that a broker has made:
 * `person-7` has `pc-7` of `pool-7`, and looks at it on the device of that number.
 */
export function fillSite(database: Database.Database, site: Site): void {
  const numbers = Array.from({ length: site.count }, (_, index) => index)
  database.transaction(() => {
    fillHosts(database, site)
    fillMachines(database, site, numbers)
    fillPeople(database, numbers)
    fillPools(database, numbers)
    fillDevices(database, numbers)
    fillJobs(database, numbers)
  })()
}

function insert(database: Database.Database, table: string, rows: readonly Row[]): void {
  const columns = Object.keys(rows[0] ?? {})
  if (columns.length === 0) return
  const places = columns.map((column) => `@${column}`)
  const statement = database.prepare(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places.join(', ')})`,
  )
  for (const row of rows) statement.run(row)
}

function fillHosts(database: Database.Database, { hosts }: Site): void {
  insert(
    database,
    'hypervisor',
    Array.from({ length: hosts }, (_, index) => ({
      name: `host-${index}`,
      address: `10.${index >> 8}.${index & 255}.1`,
      port: 22,
      display_address: '10.0.0.1',
      host_key_fingerprint: `SHA256:${'A'.repeat(43)}`,
      virt_type_setting: 'qemu',
      images_dir: '/i',
      overlays_dir: '/o',
      transient_dir: '/t',
      max_starts: 2,
      created_at: AT,
    })),
  )
}

function fillMachines(
  database: Database.Database,
  { hosts, generations }: Site,
  numbers: readonly number[],
): void {
  const machine = (id: string, type: string, host: number): Row => ({
    id,
    name: id,
    type,
    hypervisor: `host-${host % hosts}`,
    parent_id: type === 'vdi' ? 'base' : null,
    generation_id: null,
    memory_mib: 64,
    vcpus: 1,
    network: 'none',
    firmware: 'bios',
    mac: '',
    serial: id,
    power: 'off',
    power_since: AT,
    created_at: AT,
  })
  insert(database, 'machine', [machine('base', 'initial', 0)])
  const generation = Array.from({ length: generations }, (_, index) => `generation-${index}`)
  insert(
    database,
    'generation',
    generation.map((id, index) => ({
      id,
      initial_id: 'base',
      number: index + 1,
      state: 'ready',
      current: index === generations - 1 ? 1 : 0,
      file: `base.g${index + 1}.qcow2`,
      created_at: AT,
    })),
  )
  insert(
    database,
    'generation_copy',
    generation.map((id) => ({ generation_id: id, hypervisor: 'host-0' })),
  )
  insert(
    database,
    'machine',
    numbers.map((index) => ({
      ...machine(`pc-${index}`, 'vdi', index),
      generation_id: generation[index % generations] ?? null,
    })),
  )
}

function fillPeople(database: Database.Database, numbers: readonly number[]): void {
  const people = numbers.map((index) => `person-${index}`)
  insert(
    database,
    'account',
    people.map((name) => ({ name, name_key: name, source: 'local', created_at: AT })),
  )
  insert(
    database,
    'account_role',
    people.map((account) => ({ account, role: 'staff', source: 'local' })),
  )
  insert(
    database,
    'permission_grant',
    people.map((subject, index) => ({
      object_kind: 'pool',
      object_id: `pool-${index}`,
      subject_kind: 'user',
      subject_key: subject,
      subject,
      verbs: 'start,accessConsole',
      created_at: AT,
    })),
  )
}

function fillPools(database: Database.Database, numbers: readonly number[]): void {
  insert(
    database,
    'pool',
    numbers.map((index) => ({
      id: `pool-${index}`,
      name: `pool-${index}`,
      initial_id: 'base',
      policy: JSON.stringify({ ...defaultPolicy(), min: 1, max: 1 }),
      hardware: '{}',
      hypervisors: '[]',
      size: 1,
      spares: 0,
      state: 'active',
      needed_at: AT,
      created_at: AT,
    })),
  )
  insert(
    database,
    'pool_member',
    numbers.map((index) => ({
      pool_id: `pool-${index}`,
      machine_id: `pc-${index}`,
      built: 0,
      hypervisor: 'host-0',
      name: `pc-${index}`,
    })),
  )
  insert(
    database,
    'desktop',
    numbers.map((index) => ({ machine_id: `pc-${index}`, state: 'assigned', since: AT })),
  )
  insert(
    database,
    'assignment',
    numbers.map((index) => ({
      machine_id: `pc-${index}`,
      pool_id: `pool-${index}`,
      holder: `user:person-${index}`,
      connected: 1,
      assigned_at: AT,
      started_at: AT,
      idle_since: AT,
    })),
  )
  insert(
    database,
    'waiter',
    numbers.map((index) => ({
      pool_id: `pool-${index}`,
      holder: 'user:somebody',
      since: AT,
      asked_at: AT,
    })),
  )
}

function fillDevices(database: Database.Database, numbers: readonly number[]): void {
  const macOf = (index: number): string =>
    `52:54:00:${[index >> 16, index >> 8, index].map((part) => (part & 255).toString(16).padStart(2, '0')).join(':')}`
  insert(
    database,
    'thin_client',
    numbers.map((index) => ({
      id: `device-${index}`,
      mac: macOf(index),
      accepted: 1,
      address: '10.9.0.1',
      hostname: `desk-${index}`,
      version: '1',
      assigned_pool_id: `pool-${index}`,
      first_seen: AT,
      last_seen: AT,
    })),
  )
  insert(
    database,
    'thin_client_mac',
    numbers.map((index) => ({
      thin_client_id: `device-${index}`,
      mac: macOf(index),
      believed: 1,
      first_seen: AT,
    })),
  )
  insert(
    database,
    'device_login',
    numbers.map((index) => ({
      thin_client_id: `device-${index}`,
      account: `person-${index}`,
      since: AT,
      seen_at: AT,
      machine_id: `pc-${index}`,
      ticket_at: AT,
    })),
  )
  insert(
    database,
    'console_seat',
    numbers.map((index) => ({
      machine_id: `pc-${index}`,
      holder_kind: 'person',
      holder: `person-${index}`,
      address: '10.9.0.1',
      via: 'direct',
      ticket_at: AT,
      connected_at: AT,
    })),
  )
}

function fillJobs(database: Database.Database, numbers: readonly number[]): void {
  const jobs = numbers.map((index) => ({
    id: `job-${index}`,
    kind: index % 2 === 0 ? 'power' : 'check',
    subject: `pc-${index}`,
    state: 'succeeded',
    input: '{}',
    created_by: 'admin',
    created_at: AT + index,
    started_at: AT,
    finished_at: AT,
  }))
  insert(database, 'job', jobs)
  insert(
    database,
    'job_target',
    jobs.flatMap(({ id }) =>
      [0, 1, 2].map((position) => ({
        job_id: id,
        name: `target-${position}`,
        position,
        state: 'done',
      })),
    ),
  )
}
