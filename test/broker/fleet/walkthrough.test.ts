import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Desktop } from '../../../broker/api/assignments.js'
import type { MachineList } from '../../../broker/api/machines.js'
import type { PoolDetail } from '../../../broker/api/pools.js'
import { readRecord } from '../../../broker/assignments/records.js'
import { readMetadata } from '../../../broker/hypervisors/domain-xml.js'
import { BerthOnFleet, IMAGES, OVERLAYS } from '../../support/berth-on-fleet.js'
import { until } from '../../support/until.js'

t.setTimeout(900_000)
const onFleet = await BerthOnFleet.start({ hosts: 2, name: 'walk' })
t.teardown(async () => {
  await onFleet.stop()
})
const hosts = [onFleet.host(1), onFleet.host(2)]
const berth = async (line: string) => await onFleet.cli(...line.split(' '))

/** Every file of Berth's on all hosts, apart from the golden machine's own. */
function filesOnHosts(): string[] {
  return hosts
    .flatMap((host) =>
      [IMAGES, OVERLAYS, '/var/lib/berth/transient'].flatMap((folder) =>
        readdirSync(host.path(folder)).map((name) => `${host.name} ${name}`),
      ),
    )
    .filter((name) => !name.includes('golden-desktop'))
}

/* The walk that users of small desktop pools know, command for command. */
t.test(
  'a pool of three from a golden machine: one is handed out, connected, taken back; then nothing is left',
  async (t) => {
    // 1. A golden machine, customized, then stopped: clones are made from a stopped machine.
    await onFleet.makeSource('golden-desktop', 'one')
    await berth('machine start golden-desktop')
    t.match(await berth('pool create devpool --from golden-desktop --size 3'), {
      code: 1,
      stderr: /golden-desktop is running/,
    })
    await onFleet.screenOf('golden-desktop', { name: 'golden-desktop' })
    await berth('machine shutdown golden-desktop')
    const before = filesOnHosts()

    // 2. A pool of 3 clones.
    t.match(await berth('pool create devpool --from golden-desktop --size 3'), {
      code: 0,
      stdout: /succeeded: 4 of 4 done/,
    })

    // 3. What is in it.
    t.equal(
      (await berth('pool list')).stdout,
      'devpool (3 members)\n  devpool-1  free  stopped\n  devpool-2  free  stopped\n  devpool-3  free  stopped\n',
    )
    const { machines } = await onFleet.api.get<MachineList>('/machines?type=vdi')
    t.same(
      [...new Set(machines.map((machine) => machine.hypervisor))].sort(),
      ['hv1', 'hv2'],
      'spread over both',
    )
    t.equal(
      new Set(machines.flatMap((machine) => [machine.mac, machine.id])).size,
      6,
      'each has its own MAC and UUID',
    )

    // 4. Hand one to a user: it is started if it was stopped.
    t.match(await berth('assign devpool alice'), {
      code: 0,
      stdout: 'assigned devpool-1 -> alice\nconnect: berth connect devpool-1\n',
    })
    t.match((await berth('pool list')).stdout, /devpool-1 +assigned to alice +running\n/)
    await onFleet.screenOf('devpool-1', { name: 'devpool-1', generation: 'one' })

    // 5. Every reachable path.
    t.match(await berth('connect devpool-1 --print'), { code: 0, stdout: /spice/i })

    // 6. Taken back: it always stops.
    t.match(await berth('unassign devpool-1'), { code: 0, stdout: 'released devpool-1\n' })
    await onFleet.untilPower('devpool-1', 'off', 60_000)
    await until(
      async () => / {2}devpool-1 {2}free {2}stopped\n/.test((await berth('pool list')).stdout),
      { withinMs: 30_000, everyMs: 300, what: 'devpool-1 is free and stopped' },
    )

    // 7. The whole pool goes, and nothing of it is left: no row, no domain, no file.
    await nothingIsLeft(t, before)
  },
)

async function nothingIsLeft(t: Test, before: string[]): Promise<void> {
  t.match(await berth('pool delete devpool --yes'), { code: 0, stdout: /succeeded/ })
  t.same(
    (await onFleet.api.get<MachineList>('/machines')).machines.map((machine) => machine.name),
    ['golden-desktop'],
  )
  for (const host of hosts)
    t.equal(
      (await host.mustRun(['virsh', 'list', '--all', '--name'])).trim(),
      host.name === 'hv1' ? 'golden-desktop' : '',
      host.name,
    )
  t.same(filesOnHosts(), before)
  t.match(await berth('pool list'), { stdout: /There is no pool/ })
}

/** What a real libvirt has kept of what the broker wrote into the domain's metadata, as it comes back from there. */
async function carried(machine: string) {
  const { hypervisor } = await onFleet.machine(machine)
  const host = hosts.find((one) => one.name === hypervisor)
  const metadata = readMetadata((await host?.mustRun(['virsh', 'dumpxml', machine])) ?? '')
  return { ...metadata, record: readRecord(metadata?.record) }
}

/** The database is gone with its accounts; the keys and certificates, which are files, are not. */
async function loseDatabase(): Promise<void> {
  await onFleet.broker.kill()
  const data = join(onFleet.directory, 'data')
  for (const file of readdirSync(data))
    if (file.startsWith('berth.sqlite') || file === 'admin-password') rmSync(join(data, file))
  await onFleet.restartBroker()
  t.same((await onFleet.api.get<MachineList>('/machines')).machines, [], 'it knows nothing')
  for (const host of hosts) await onFleet.addHypervisor(host)
}

/** What a person or an administrator would miss. */
async function everything(): Promise<unknown> {
  const { pool, members } = await onFleet.api.get<PoolDetail>('/pools/devpool')
  const { desktops } = await onFleet.api.get<{ desktops: Desktop[] }>('/desktops')
  const { machines } = await onFleet.api.get<MachineList>('/machines')
  const { name, policy, size, initial, generations } = pool
  return {
    pool: { name, policy, size, initial, generations },
    grants: (await onFleet.api.get<{ grants: unknown[] }>('/grants')).grants,
    members: members.map(({ machine, state, holder, generation, power, built }) => ({
      machine,
      state,
      holder,
      generation,
      power,
      built,
    })),
    desktops: desktops.map(({ machine, holder, assignedAt }) => ({ machine, holder, assignedAt })),
    machines: machines.map(({ name, type, hypervisor, parent, memoryMib, network, mac, id }) => ({
      name,
      type,
      hypervisor,
      parent,
      memoryMib,
      network,
      mac,
      id,
    })),
  }
}

t.test(
  "a broker whose database is lost is made again from what real domains carry, and nobody's desktop stops",
  async (t) => {
    t.match(await berth('pool create devpool --from golden-desktop --size 2 --retention PT4H'), {
      code: 0,
    })
    t.match(
      await onFleet.cli(
        'grant',
        'add',
        'pool:devpool',
        'start',
        'accessConsole',
        '--user',
        'Žąsė "the" <goose> & co',
      ),
      { code: 0 },
    )
    await berth('assign devpool alice@example.org')
    const { boots } = await onFleet.screenOf('devpool-1', { name: 'devpool-1' })
    await until(async () => (await carried('devpool-1')).record?.assignment?.startedAt, {
      withinMs: 40_000,
      everyMs: 500,
      what: 'the running domain says whose it is',
    })
    await domainsCarryTheirState(t)
    const before = await everything()

    await loseDatabase()
    t.match(await berth('rebuild-state'), {
      code: 0,
      stdout: /^Made again:\n(.*\n)*pools: devpool\nassignments: devpool-1 alice@example\.org\n$/,
      stderr: '',
    })
    t.same(
      await until(
        async () => {
          const now = await everything()
          return JSON.stringify(now) === JSON.stringify(before) ? now : null
        },
        { withinMs: 20_000, everyMs: 500, what: 'all is as it was' },
      ).catch(everything),
      before,
    )
    await onFleet.screenOf('devpool-1', { name: 'devpool-1', boots })
    t.match(await berth('rebuild-state'), {
      stdout: 'There is nothing that the database does not have.\n',
    })

    await takeApart(t)
  },
)

async function domainsCarryTheirState(t: Test): Promise<void> {
  t.match(await carried('devpool-1'), {
    pool: 'devpool',
    generation: 'g1',
    assignment: 'alice@example.org',
    record: {
      desktop: { state: 'assigned' },
      assignment: { holder: 'user:alice@example.org', pool: 'devpool' },
      pools: [{ grants: [['user', 'Žąsė "the" <goose> & co', 'start,accessConsole']] }],
    },
  })
  t.match(
    await carried('devpool-2'),
    {
      pool: 'devpool',
      assignment: undefined,
      record: { desktop: { state: 'free' }, assignment: null },
    },
    'and one that is off that it is free',
  )
  t.match((await carried('devpool-golden')).record, {
    generations: [{ number: 1, current: 1 }],
    usedBy: [{ name: 'devpool' }],
  })
}

async function takeApart(t: Test): Promise<void> {
  t.match(await berth('unassign devpool-1'), { code: 0 })
  await onFleet.untilPower('devpool-1', 'off', 60_000)
  t.match(await berth('populate devpool-golden'), { code: 0 }, 'its images are known')
  t.match(await berth('pool delete devpool --yes'), { code: 0, stdout: /succeeded/ })
  t.same(
    (await onFleet.api.get<MachineList>('/machines')).machines.map((machine) => machine.name),
    ['golden-desktop'],
  )
}
