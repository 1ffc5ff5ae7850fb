import type { JobRef } from '../broker/api/images.js'
import type { FleetHost } from '../test/fleet/fleet-host.js'
import type { ApiClient } from '../test/support/api-client.js'
import { createMachines, jobTimeMs } from './fleet-with-broker.js'
import type { BenchOptions, Places } from './places.js'
import { type Comparison, median, milliseconds, type Report } from './report.js'

const IMAGES = '/var/lib/berth/images'
const SOURCE = `${IMAGES}/copy-golden.qcow2`
const BARE = `${IMAGES}/bare.qcow2`
const TARGET_RATIO = 1.1

/** The steps that a careful administrator would do by hand, one after another. */
const BARE_STEPS: ReadonlyArray<readonly [string, string[]]> = [
  ['convert', ['qemu-img', 'convert', '-f', 'qcow2', '-O', 'qcow2', SOURCE, BARE]],
  ['sync', ['sync', BARE]],
  ['check', ['qemu-img', 'check', '-q', BARE]],
  // Not sha256sum, which is several times slower where it does not use OpenSSL: the helper does.
  ['sha256', ['openssl', 'dgst', '-sha256', BARE]],
]

/** Copy through the API against the same steps on the same host, in turn, the source in the cache for both. */
export async function measureCopy(
  places: Places,
  { small, runs, log }: BenchOptions,
): Promise<Report> {
  const { fleet, api } = await places.fleet(1)
  const host = fleet.hosts[0]
  if (!host) throw new Error('the fleet has no host')
  const mib = small ? 128 : 1024
  log(`Making a source disk with ${mib} MiB of random data …`)
  await makeMachines(api, host, mib)
  const samples = await inTurn(api, host, runs, log)
  await host.mustRun(['rm', '-f', '--', BARE, '/var/lib/berth/import/random.qcow2'])
  await api.succeeded((await api.delete<JobRef>('/machines/copy-base?force=true')).job)
  await api.succeeded((await api.delete<JobRef>('/machines/copy-golden?force=true')).job)
  return {
    name: 'copy',
    title: `Copy of a disk with ${mib} MiB of random data`,
    samples,
    note:
      `Median of ${runs} alternating runs each, the source in the page cache. Berth's time is ` +
      'the whole job, from the question to its end: convert, sync, check and SHA-256, ' +
      "activation, the initial's boot disk. The old generation is removed after the job, which " +
      'is not counted; nor is the removal of the file by hand.',
    comparisons: comparisonsOf(samples),
  }
}

async function makeMachines(api: ApiClient, host: FleetHost, mib: number): Promise<void> {
  await createMachines(api, {
    name: 'copy-golden',
    type: 'source',
    hypervisors: [host.name],
    diskGib: 2,
  })
  await createMachines(api, {
    name: 'copy-base',
    type: 'initial',
    parent: 'copy-golden',
    hypervisors: [host.name],
  })
  await fillImport(host, mib)
  await api.succeeded(
    (
      await api.post<JobRef>('/machines/copy-golden/import', {
        path: '/var/lib/berth/import/random.qcow2',
      })
    ).job,
    600_000,
  )
}

type Samples = Record<'berth' | 'bare' | 'convert', number[]>

/** Milliseconds of each side, of as many runs; `convert` is the first of the bare steps. */
async function inTurn(
  api: ApiClient,
  host: FleetHost,
  runs: number,
  log: BenchOptions['log'],
): Promise<Samples> {
  const samples: Samples = { berth: [], bare: [], convert: [] }
  for (let run = 1; run <= runs; run++) {
    await settle(host)
    const berthMs = await copy(
      async () => (await api.post<JobRef>('/machines/copy-base/copy')).job,
      async (job, sinceMs) => await jobTimeMs(api, job, sinceMs),
    )
    await settle(host)
    const steps = await bareSteps(host)
    const bareMs = steps.reduce((sum, ms) => sum + ms, 0)
    samples.berth.push(berthMs)
    samples.bare.push(bareMs)
    samples.convert.push(steps[0] ?? 0)
    log(
      `copy, run ${run} of ${runs}: Berth ${milliseconds(berthMs)}, bare ` +
        `steps ${milliseconds(bareMs)} ` +
        `(${BARE_STEPS.map(([step], index) => `${step} ${milliseconds(steps[index] ?? 0)}`).join(', ')})`,
    )
  }
  return samples
}

function comparisonsOf(samples: Samples): Comparison[] {
  const [berth, bare, convert] = [
    median(samples.berth),
    median(samples.bare),
    median(samples.convert),
  ]
  return [
    {
      what: 'copy, against convert + sync + check + SHA-256 by hand',
      berth: milliseconds(berth),
      otherSide: milliseconds(bare),
      ratio: berth / bare,
      target: `≤ ${TARGET_RATIO}`,
      met: berth / bare <= TARGET_RATIO,
    },
    {
      what: 'copy, against the bare `qemu-img convert` alone',
      berth: milliseconds(berth),
      otherSide: milliseconds(convert),
      ratio: berth / convert,
      target: '',
      met: null,
    },
  ]
}

async function copy(
  ask: () => Promise<string>,
  timeOf: (job: string, sinceMs: number) => Promise<number>,
): Promise<number> {
  const sinceMs = Date.now()
  return await timeOf(await ask(), sinceMs)
}

async function fillImport(host: FleetHost, mib: number): Promise<void> {
  const script =
    'set -e; head -c "$1" /dev/urandom >/var/tmp/random.raw; qemu-img convert -f raw -O ' +
    'qcow2 /var/tmp/random.raw /var/lib/berth/import/random.qcow2; rm /var/tmp/random.raw'
  await host.mustRun(['bash', '-c', script, 'fill', String(mib * 1_048_576)], {
    timeoutMs: 600_000,
  })
}

/**
 * The same state for both sides: no dirty pages of the one before, the source in the cache, the
 * bare target not there.
 */
async function settle(host: FleetHost): Promise<void> {
  await host.mustRun(['bash', '-c', `rm -f ${BARE}; sync; cat ${SOURCE} >/dev/null`], {
    timeoutMs: 600_000,
  })
}

async function bareSteps(host: FleetHost): Promise<number[]> {
  const times: number[] = []
  for (const [, argv] of BARE_STEPS) {
    const startMs = performance.now()
    await host.mustRun([...argv], { timeoutMs: 600_000 })
    times.push(performance.now() - startMs)
  }
  return times
}
