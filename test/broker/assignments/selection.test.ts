import fc from 'fast-check'
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import t from 'tap'
import {
  bestCandidate,
  type Candidate,
  compareCandidates,
  type HostLoad,
} from '../../../broker/assignments/selection.js'
import { defaultPolicy } from '../../../broker/pools/policy.js'
import { openStore, type Store } from '../../../broker/store/open.js'
import { temporaryDirectory } from '../../support/simulated-broker.js'
import { databaseIn } from '../../support/database.js'

const HOSTS = ['hv1', 'hv2', 'hv3']
const candidate = (more: Partial<Candidate> = {}): Candidate => ({
  machine_id: more.name ?? 'm',
  name: 'm',
  hypervisor: 'hv1',
  fresh: 1,
  used_at: 0,
  running: 0,
  ...more,
})

t.test('the order: never used, longest unused, running, less loaded host, name', async (t) => {
  const loads = new Map([
    ['hv1', 0.5],
    ['hv2', 0.1],
  ])
  const better: Array<[string, Partial<Candidate>, Partial<Candidate>]> = [
    ['never used before long unused', { fresh: 1, used_at: 9 }, { fresh: 0, used_at: 1 }],
    ['longest unused', { fresh: 0, used_at: 1 }, { fresh: 0, used_at: 2, running: 1 }],
    ['running', { running: 1 }, { running: 0, hypervisor: 'hv2' }],
    ['the less loaded host', { hypervisor: 'hv2', name: 'z' }, { hypervisor: 'hv1', name: 'a' }],
    ['the name', { name: 'a' }, { name: 'b' }],
    [
      'an unknown host counts as full',
      { hypervisor: 'hv1', name: 'z' },
      { hypervisor: 'hv9', name: 'a' },
    ],
  ]
  for (const [what, first, second] of better) {
    t.ok(compareCandidates(candidate(first), candidate(second), loads) < 0, what)
    t.ok(
      compareCandidates(candidate(second), candidate(first), loads) > 0,
      `${what}, the other way round`,
    )
  }
})

const candidates = fc.uniqueArray(
  fc.record({
    name: fc.stringMatching(/^[a-z]{1,3}$/),
    hypervisor: fc.constantFrom(...HOSTS),
    fresh: fc.constantFrom(0, 1),
    used_at: fc.integer({ min: 0, max: 3 }),
    running: fc.constantFrom(0, 1),
  }),
  { selector: (one) => one.name, minLength: 1, maxLength: 12 },
)
const loadsOf = fc.record({
  hv1: fc.constantFrom(0, 0.5, 1),
  hv2: fc.constantFrom(0, 0.5, 1),
  hv3: fc.constantFrom(0, 0.5, 1),
})

t.test('it is a total order', async (t) => {
  fc.assert(
    fc.property(candidates, loadsOf, (all, load) => {
      const loads = new Map(Object.entries(load))
      const members = all.map((one) => candidate(one))
      for (const a of members)
        for (const b of members) {
          const sign = Math.sign(compareCandidates(a, b, loads))
          if (
            sign !== -Math.sign(compareCandidates(b, a, loads)) ||
            (sign === 0) !== (a.name === b.name)
          )
            return false
          for (const c of members)
            if (
              sign < 0 &&
              compareCandidates(b, c, loads) < 0 &&
              compareCandidates(a, c, loads) >= 0
            )
              return false
        }
      return true
    }),
  )
  t.pass('antisymmetric, transitive, equal only to itself')
})

t.test('what the database gives is the first of that order', async (t) => {
  const directory = temporaryDirectory()
  const store = await openStore(await databaseIn(directory))
  t.teardown(async () => {
    await store.destroy()
    rmSync(directory, { recursive: true })
  })
  await makePoolAndHosts(store)
  await fc.assert(
    fc.asyncProperty(
      candidates,
      loadsOf,
      fc.subarray(HOSTS, { minLength: 1 }),
      async (all, load, usable) => {
        const members = await fill(
          store,
          all.map((one) => candidate(one)),
        )
        const hosts: HostLoad[] = usable.map((hypervisor) => ({
          hypervisor,
          load: load[hypervisor as 'hv1'],
        }))
        const loads = new Map(hosts.map((host) => [host.hypervisor, host.load]))
        const [best] = members
          .filter((one) => usable.includes(one.hypervisor))
          .sort((a, b) => compareCandidates(a, b, loads))
        return (await bestCandidate(store, 'p', hosts, 1))?.name === best?.name
      },
    ),
    { numRuns: 150 },
  )
  t.pass('for any members, loads and hosts')
})

async function makePoolAndHosts(store: Store): Promise<void> {
  await store
    .insertInto('pool')
    .values({
      id: 'p',
      name: 'p',
      initial_id: null,
      policy: JSON.stringify(defaultPolicy()),
      hardware: '{}',
      hypervisors: '[]',
      size: 0,
      spares: 0,
      state: 'active',
      needed_at: 0,
      created_at: 0,
      namespace: '',
    })
    .execute()
  for (const name of HOSTS)
    await store
      .insertInto('hypervisor')
      .values({
        name,
        address: 'a',
        port: 22,
        display_address: 'a',
        host_key_fingerprint: '',
        virt_type_setting: 'qemu',
        virt_type: 'qemu',
        images_dir: '/i',
        overlays_dir: '/o',
        transient_dir: '/t',
        max_starts: 4,
        created_at: 0,
      })
      .execute()
}

/** These members and no others. */
async function fill(store: Store, members: readonly Candidate[]): Promise<Candidate[]> {
  await store.deleteFrom('pool_member').execute()
  await store.deleteFrom('machine').execute()
  for (const one of members) {
    const id = randomUUID()
    await store
      .insertInto('machine')
      .values({
        id,
        name: one.name,
        type: 'vdi',
        hypervisor: one.hypervisor,
        parent_id: null,
        disk: null,
        generation_id: null,
        wanted_generation_id: null,
        memory_mib: 1,
        vcpus: 1,
        network: 'none',
        firmware: 'bios',
        mac: id,
        serial: id,
        domain_xml: null,
        power: 'off',
        power_since: 0,
        wanted_power: null,
        created_at: 0,
      })
      .execute()
    await store
      .insertInto('pool_member')
      .values({
        pool_id: 'p',
        machine_id: id,
        built: 1,
        hypervisor: one.hypervisor,
        name: one.name,
        claimable: 1,
        fresh: one.fresh as 0,
        used_at: one.used_at,
        running: one.running as 0,
      })
      .execute()
  }
  return [...members]
}
