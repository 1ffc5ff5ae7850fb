import { createWriteStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Desk } from '../test/fleet/desk.js'
import type { Fleet } from '../test/fleet/fleet.js'
import { readGuestScreen } from '../test/fleet/guest-image.js'
import { startScreen } from '../test/fleet/screen.js'
import { ROOT } from '../test/support/broker-process.js'
import { until } from '../test/support/until.js'
import { type BootedThinClient, bootImage, bootThinClient } from '../test/systemd/boot.js'
import type { BerthCommand } from './berth-command.js'
import { GENERATION } from './machines.js'
import type { Steps } from './steps.js'

export const MACHINES = ['pc-1', 'pc-2', 'pc-3', 'pc-4']
/** Whose desktop the bare machine of --boot shows, and that machine's MAC. */
const BOOT = { machine: 'pc-5', mac: '52:54:00:be:27:05' }
const PICTURE_WITHIN_MS = 120_000
/** A whole Debian under software emulation takes its time. */
const BOOT_WITHIN_MS = 400_000

/** What a desk needs, and where pictures and logs of it go. */
export interface DeskPlace {
  readonly steps: Steps
  /** HOST:PORT, and the fingerprint of its CA. */
  readonly broker: string
  readonly ca: string
  readonly pictures: string
  readonly logs: string
}

/** Says in clients.xml which desk gets which machine. `bare`: also the machine that boots by itself. */
export async function handOut(
  berth: BerthCommand,
  fleet: Fleet,
  file: string,
  bare: boolean,
): Promise<void> {
  const client = (machine: string, index: number): string =>
    `  <client ip="${deskAddress(fleet, index)}">\n    <protocol>SPICE</protocol>\n    ` +
    `<machine-name>${machine}</machine-name>\n  </client>\n`
  const bareClient =
    `  <client mac="${BOOT.mac}">\n    <protocol>SPICE</protocol>\n    ` +
    `<machine-name>${BOOT.machine}</machine-name>\n  </client>\n`
  writeFileSync(
    file,
    `<thin-clients>\n${MACHINES.map(client).join('')}${bare ? bareClient : ''}</thin-clients>\n`,
  )
  await berth.step('Loading clients.xml', ['clients-xml', 'load', file])
}

function deskAddress(fleet: Fleet, index: number): string {
  return fleet.gateway.replace(/\.0\.1$/, `.2.${index + 1}`)
}

/** Switches on a thin client for each machine, and looks at what it shows. */
export async function showDesktops(place: DeskPlace, fleet: Fleet): Promise<void> {
  const desks = await place.steps.step(
    'Switching on four thin clients',
    async () => await Promise.all(MACHINES.map(async () => await fleet.addDesk())),
  )
  await Promise.all(
    desks.map(async (desk, index) => {
      await showDesktop(place, desk, MACHINES[index] ?? '')
    }),
  )
}

async function showDesktop(place: DeskPlace, desk: Desk, machine: string): Promise<void> {
  const { steps, pictures } = place
  const startMs = performance.now()
  const screen = await startScreen(desk)
  startAgent(place, desk, screen.display)
  const picture = join(pictures, `${desk.name}.png`)
  const seen = await until(
    async () => {
      await screen.screenshot(picture)
      return await readGuestScreen(picture)
    },
    {
      withinMs: PICTURE_WITHIN_MS,
      everyMs: 3000,
      what: `${desk.name} shows the desktop of ${machine}`,
    },
  )
  const good = seen.name === machine && seen.generation === GENERATION
  steps.say(
    `           ${desk.name} (${desk.address}) shows ${seen.name}, ` +
      `generation ${seen.generation}, ` +
      `after ${((performance.now() - startMs) / 1000).toFixed(1)} s: ${picture}`,
  )
  if (!good)
    steps.fault(desk.name, new Error(`it should show ${machine}, generation ${GENERATION}`))
}

function startAgent({ broker, ca, logs }: DeskPlace, desk: Desk, display: string): void {
  const agent = desk.spawnInside(
    [
      process.execPath,
      join(ROOT, 'dist/thin-client/berth-thin-client.mjs'),
      '--broker',
      broker,
      '--ca',
      ca,
      '--state-dir',
      join(desk.stateDir, 'agent'),
      '--display',
      'existing',
    ],
    { env: { DISPLAY: display } },
  )
  const log = createWriteStream(join(logs, `${desk.name}-agent.log`))
  agent.stdout.pipe(log)
  agent.stderr.pipe(log)
}

/**
 * A bare machine with Debian, systemd and our unit is switched on and not touched. `onBooted`: it
 * runs, and must be stopped, whatever it shows.
 */
export async function showBareClient(
  { steps, broker, ca, pictures }: DeskPlace,
  onBooted: (client: BootedThinClient) => void,
): Promise<void> {
  const image = await steps.step(
    "Building the thin client's Debian (minutes at first, quick when it is there)",
    async () => await bootImage(),
  )
  const picture = join(pictures, 'boot.png')
  await steps.step(`Switching on a bare thin client; it should show ${BOOT.machine}`, async () => {
    const booted = await bootThinClient({ image, mac: BOOT.mac, broker, ca })
    onBooted(booted)
    const seen = await until(
      async () => {
        await booted.photograph(picture)
        return await readGuestScreen(picture)
      },
      {
        withinMs: BOOT_WITHIN_MS,
        everyMs: 3_000,
        what: `the bare thin client shows the desktop of ${BOOT.machine}`,
      },
    )
    if (seen.name !== BOOT.machine || seen.generation !== GENERATION)
      throw new Error(`it shows ${seen.name}, generation ${seen.generation}`)
  })
  steps.say(`           the bare thin client shows ${BOOT.machine}: ${picture}`)
}
