import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Screen } from '../broker/api/consoles.js'
import type { FleetHost } from '../test/fleet/fleet-host.js'
import { openScreen, type OpenScreen, RfbClient } from '../test/support/rfb-client.js'
import { type Clicks, measureClicks } from './console-clicks.js'
import type { FleetWithBroker } from './fleet-with-broker.js'
import { removeGuest, startGuest } from './guest.js'
import type { BenchOptions, Places } from './places.js'
import { type Comparison, median, milliseconds, quantile, type Report } from './report.js'

const MOST_FIRST_FRAME_MS = 1_000
const MOST_ADDED_MS = 10
const BACKSPACE = 0xff08
/** QEMU looks for changes in steps of 30 ms; a key must not fall into the same moment of each step. */
const STEP_MS = 60

/** A screen in the browser's way on a running machine: the first picture, and what the way adds to a key. */
export async function measureConsole(
  places: Places,
  { small, log }: BenchOptions,
): Promise<Report> {
  const place = await places.fleet(1)
  const host = place.fleet.hosts[0]
  if (!host) throw new Error('the fleet has no host')
  log('Starting a machine with the test guest …')
  const machine = await startGuest(place, host, 'console')
  const first = await firstFrames(place, machine, small ? 10 : 60)
  log('Clicking on it in Chromium …')
  const clicks = await measureClicks(place, machine, small ? 3 : 30)
  const { berth, direct } = await keyTimes(place, host, machine, small ? 20 : 300)
  await removeGuest(place, 'console')
  return report(first, clicks, berth, direct)
}

function report(
  first: readonly number[],
  clicks: Clicks,
  berth: readonly number[],
  direct: readonly number[],
): Report {
  return {
    name: 'console',
    title: "A screen in the browser's way",
    samples: { first, clicks: clicks.first, clicksAgain: clicks.again, berth, direct },
    note:
      "From the click: in Chromium, on the button of a person's card, until a drawn frame of " +
      "the page holds every row of the guest's picture (but a blinking " +
      `cursor), ${clicks.first.length} times in a browser that was never there and as often ` +
      `once more in the same page. The broker's share: ${first.length} times, from \`POST ` +
      `…/screen\` over a WebSocket of its own (a new TLS connection each) to the last pixel of ` +
      `the whole screen. A key: ${berth.length} keys each way, in turns, both viewers open on ` +
      'the same display, from the key to the update that shows it; the guest (emulated) and ' +
      "QEMU's own steps of 30 ms are in both. The other side is the display's unix socket, " +
      'opened on the host.',
    comparisons: [
      firstFrame('from the click to the picture in Chromium, first visit', clicks.first),
      firstFrame('from the click to the picture in Chromium, again', clicks.again),
      firstFrame("the broker's share of it, to a client of its own", first),
      addedToKey(berth, direct, 0.5),
      addedToKey(berth, direct, 0.95),
    ],
  }
}

function firstFrame(what: string, values: readonly number[]): Comparison {
  const p95 = quantile(values, 0.95)
  return {
    what: `${what}, p50, p95`,
    berth: `${milliseconds(median(values))}, ${milliseconds(p95)}`,
    otherSide: '',
    ratio: null,
    target: `p95 ≤ ${MOST_FIRST_FRAME_MS} ms`,
    met: p95 <= MOST_FIRST_FRAME_MS,
  }
}

function addedToKey(
  berth: readonly number[],
  direct: readonly number[],
  share: number,
): Comparison {
  const [ours, theirs] = [quantile(berth, share), quantile(direct, share)]
  return {
    what: `a key until it is seen, p${share * 100}`,
    berth: milliseconds(ours),
    otherSide: milliseconds(theirs),
    ratio: ours / theirs,
    target: `≤ ${MOST_ADDED_MS} ms more`,
    met: ours - theirs <= MOST_ADDED_MS,
  }
}

async function open({ api, broker }: FleetWithBroker, machine: string): Promise<OpenScreen> {
  const { ticket } = await api.post<Screen>(`/machines/${machine}/screen`, {})
  const screen = await openScreen(
    {
      url: broker.url,
      ca: broker.ca,
      machine,
      headers: { authorization: `Bearer ${api.token ?? ''}` },
    },
    ticket,
  )
  await screen.viewer.begin()
  return screen
}

async function firstFrames(
  place: FleetWithBroker,
  machine: string,
  count: number,
): Promise<number[]> {
  const times: number[] = []
  for (let index = 0; index < count; index++) {
    const startMs = performance.now()
    const { viewer, webSocket, closed } = await open(place, machine)
    await viewer.frame()
    times.push(performance.now() - startMs)
    webSocket.close()
    await closed
  }
  return times
}

async function keyTimes(
  place: FleetWithBroker,
  host: FleetHost,
  machine: string,
  count: number,
): Promise<{ berth: number[]; direct: number[] }> {
  const times = { berth: [] as number[], direct: [] as number[] }
  const screen = await open(place, machine)
  const viewers = {
    berth: screen.viewer,
    direct: await new RfbClient(connect(await displaySocket(host, machine))).begin({
      shared: true,
    }),
  }
  for (let index = 0; index < count; index++) {
    for (const way of index % 2 === 0
      ? (['berth', 'direct'] as const)
      : (['direct', 'berth'] as const)) {
      times[way].push(await keyTime(viewers[way], 'a'.charCodeAt(0)))
      await keyTime(viewers[way], BACKSPACE)
    }
  }
  screen.webSocket.close()
  viewers.direct.close()
  return times
}

/** From the key to the update that it causes. */
async function keyTime(viewer: RfbClient, key: number): Promise<number> {
  await viewer.frame() // nothing is left to be told
  viewer.request(true)
  await delay(STEP_MS + Math.random() * STEP_MS)
  const startMs = performance.now()
  viewer.key(key)
  while ((await viewer.update()) === 0) viewer.request(true)
  return performance.now() - startMs
}

async function displaySocket(host: FleetHost, machine: string): Promise<string> {
  const xml = await host.mustRun(['virsh', '-q', '-c', 'qemu:///system', 'dumpxml', machine])
  return host.path(/type='vnc' socket='([^']+)'/.exec(xml)?.[1] ?? '')
}
