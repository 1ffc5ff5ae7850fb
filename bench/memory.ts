import { memoryOf, mebibytes, withChildren } from './processes.js'
import type { BenchOptions, Places } from './places.js'
import type { Comparison, Report } from './report.js'
import { thousandMachines } from './thousand-machines.js'

const MOST_MB = 200

/** What the broker and the processes that carry its libvirt calls hold, with a thousand machines that it watches. */
export async function measureMemory(places: Places, options: BenchOptions): Promise<Report> {
  const { place, hosts, machines } = await thousandMachines(places, options)
  const pids = withChildren(place.broker.pid)
  const memories = pids.map(memoryOf)
  return {
    name: 'memory',
    title: `Memory of the broker with ${machines} machines on ${hosts} hypervisors`,
    samples: {
      rssBytes: memories.map((one) => one.rssBytes),
      pssBytes: memories.map((one) => one.pssBytes),
    },
    note:
      'The broker itself and then the processes that carry libvirt calls, all machines defined ' +
      'and watched. Rss counts what the processes share once for each of them; Pss is what ' +
      'they take together.',
    comparisons: comparisonsOf(memories),
  }
}

function comparisonsOf(memories: ReadonlyArray<ReturnType<typeof memoryOf>>): Comparison[] {
  const [rss, pss] = [
    sum(memories.map((one) => one.rssBytes)),
    sum(memories.map((one) => one.pssBytes)),
  ]
  const shown = memories.map((one) => mebibytes(one.rssBytes)).join(' + ')
  return [
    {
      what: 'all processes together (Pss)',
      berth: mebibytes(pss),
      otherSide: '',
      ratio: null,
      target: `≤ ${MOST_MB} MB`,
      met: pss <= MOST_MB * 1_000_000,
    },
    {
      what: 'each process (Rss)',
      berth: shown,
      otherSide: '',
      ratio: null,
      target: '',
      met: null,
    },
    {
      what: 'sum of the Rss',
      berth: mebibytes(rss),
      otherSide: '',
      ratio: null,
      target: `≤ ${MOST_MB} MB`,
      met: rss <= MOST_MB * 1_000_000,
    },
  ]
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
