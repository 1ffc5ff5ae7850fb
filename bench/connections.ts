import { readFileSync } from 'node:fs'
import type { FleetHost } from '../test/fleet/fleet-host.js'
import type { BenchOptions, Places } from './places.js'
import type { Comparison, Report } from './report.js'
import { thousandMachines } from './thousand-machines.js'

interface SshdSays {
  readonly accepted: number
  readonly refused: number
  readonly openNow: number
}

/** How many SSH connections a thousand machines on ten hypervisors need, by the logs of the hypervisors' own sshd. */
export async function measureConnections(places: Places, options: BenchOptions): Promise<Report> {
  const { place, hosts, machines } = await thousandMachines(places, options)
  const said = await Promise.all(place.fleet.hosts.map(askSshd))
  const sum = (count: (one: SshdSays) => number): number =>
    said.reduce((total, one) => total + count(one), 0)
  const [accepted, refused, openNow] = [
    sum((one) => one.accepted),
    sum((one) => one.refused),
    sum((one) => one.openNow),
  ]
  return {
    name: 'connections',
    title: `SSH connections for ${machines} machines on ${hosts} hypervisors`,
    samples: { accepted, refused, openNow },
    note:
      `Counted in the logs of the ${hosts} sshd (Debian's own settings) from their start, over ` +
      'enrolment, the definition of all machines and the observation of them, and by the ' +
      'connections that are open at the end.',
    comparisons: comparisonsOf({ accepted, refused, openNow }, hosts),
  }
}

function comparisonsOf({ accepted, refused, openNow }: SshdSays, hosts: number): Comparison[] {
  return [
    {
      what: 'connections that sshd accepted',
      berth: String(accepted),
      otherSide: `${hosts} hypervisors`,
      ratio: accepted / hosts,
      target: `${hosts}`,
      met: accepted === hosts,
    },
    {
      what: 'connections open now',
      berth: String(openNow),
      otherSide: `${hosts} hypervisors`,
      ratio: openNow / hosts,
      target: `${hosts}`,
      met: openNow === hosts,
    },
    {
      what: 'connections or channels that sshd refused',
      berth: String(refused),
      otherSide: '',
      ratio: null,
      target: '0',
      met: refused === 0,
    },
  ]
}

/** What sshd says when it refuses: MaxStartups, MaxSessions, keys. */
const REFUSALS = new RegExp(
  [
    'refused',
    'drop connection',
    'past MaxStartups',
    'no more sessions',
    'Connection closed by (?:invalid|authenticating) user',
    'Failed publickey',
    'Invalid user',
  ].join('|'),
  'i',
)

async function askSshd(host: FleetHost): Promise<SshdSays> {
  const lines = readFileSync(host.path('/var/log/sshd.log'), 'utf8').split('\n')
  const open = await host.mustRun([
    'ss',
    '-H',
    '-t',
    '-n',
    'state',
    'established',
    'sport',
    '=',
    ':22',
  ])
  return {
    accepted: lines.filter((line) => line.includes('Accepted publickey for berth')).length,
    refused: lines.filter((line) => REFUSALS.test(line)).length,
    openNow: open.split('\n').filter((line) => line.trim() !== '').length,
  }
}
