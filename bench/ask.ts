import { Agent } from 'node:https'
import type { FleetHost } from '../test/fleet/fleet-host.js'
import type { FleetWithBroker } from './fleet-with-broker.js'
import { removeGuest, startGuest } from './guest.js'
import type { BenchOptions, Places } from './places.js'
import { median, milliseconds, quantile, type Report } from './report.js'
import { ThinClientStandIn } from './thin-client-stand-in.js'

const MOST_P95_MS = 100

/**
 * The same as the broker lets the helper do for a ticket, without Berth: prints the microseconds of
 * each. EPOCHREALTIME needs no process.
 */
const BARE_UPDATE = `
set -euo pipefail
file=$(mktemp)
virsh -q -c qemu:///system dumpxml --security-info "$1" |
    sed -n "/<graphics type='spice'/,/<.graphics>/p" |
    sed -E "s/passwd='[^']*'/passwd='bare'/" |
    sed -E "s/passwdValidTo='[^']*'/passwdValidTo='2049-01-01T00:00:00'/" >"$file"
for ((run = 0; run < $2; run++)); do
    from=$EPOCHREALTIME
    virsh -q -c qemu:///system update-device "$1" "$file" --live >/dev/null
    to=$EPOCHREALTIME
    echo $((\${to/[.,]/} - \${from/[.,]/}))
done
rm -- "$file"
`

/**
 * A thin client's question for a running machine, its ticket set in QEMU, against the bare command
 * that sets a ticket.
 */
export async function measureAsk(places: Places, { small, log }: BenchOptions): Promise<Report> {
  const place = await places.fleet(1)
  const host = place.fleet.hosts[0]
  if (!host) throw new Error('the fleet has no host')
  const count = small ? 20 : 100
  log('Starting a machine with the test guest …')
  const machine = await startGuest(place, host, 'ask')
  const target = `<protocol>SPICE</protocol><machine-name>${machine}</machine-name>`
  await place.api.put('/clients-xml', {
    text: `<thin-clients><default>${target}</default></thin-clients>`,
  })
  const samples = { ask: await askTimes(place, count), bare: await bareTimes(host, machine, count) }
  await removeGuest(place, 'ask')
  const both = (values: number[]): string =>
    `${milliseconds(median(values))}, ${milliseconds(quantile(values, 0.95))}`
  const p95 = quantile(samples.ask, 0.95)
  return {
    name: 'ask',
    title: `A thin client's question for a running machine, ${count} times one after another (p50, p95)`,
    samples,
    note:
      'From the question over HTTPS (connection kept) to the answer that is `ready`, with a ' +
      'fresh ticket that QEMU has accepted. The other side is `virsh update-device` alone, on ' +
      'the host, for the same display.',
    comparisons: [
      {
        what: 'question with ticket',
        berth: both(samples.ask),
        otherSide: both(samples.bare),
        ratio: median(samples.ask) / median(samples.bare),
        target: `p95 ≤ ${MOST_P95_MS} ms`,
        met: p95 <= MOST_P95_MS,
      },
    ],
  }
}

async function askTimes({ broker }: FleetWithBroker, count: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, ca: broker.ca })
  const desk = new ThinClientStandIn({ url: broker.url, agent, number: 1 })
  const times: number[] = []
  for (let index = 0; index <= count; index++) {
    const startMs = performance.now()
    const { state, sentence } = await desk.ask(0)
    if (state !== 'ready') throw new Error(`the answer was ${state}: ${sentence}`)
    if (index > 0) times.push(performance.now() - startMs) // the first makes the connection and the device's key
  }
  agent.destroy()
  return times
}

async function bareTimes(host: FleetHost, machine: string, count: number): Promise<number[]> {
  const said = await host.mustRun(['bash', '-c', BARE_UPDATE, 'bare', machine, String(count)], {
    timeoutMs: 300_000,
  })
  return said
    .trim()
    .split('\n')
    .map((line) => Number(line) / 1_000)
}
