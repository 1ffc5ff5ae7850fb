import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Desk } from '../fleet/desk.js'
import { type GuestScreen, readGuestScreen } from '../fleet/guest-image.js'
import type { Screen } from '../fleet/screen.js'
import type { BerthOnFleet } from '../support/berth-on-fleet.js'
import { ROOT } from '../support/broker-process.js'
import { until } from '../support/until.js'

/** The thin client's agent at a desk; `said`: its screen and its log so far. */
export interface DeskAgent {
  said: string
  stop(): Promise<void>
}

/** Switches a desk on: the built agent, on the desk's X display. */
export function startAgent(berth: BerthOnFleet, at: Desk, on: Screen): DeskAgent {
  const pin = `sha256:${createHash('sha256')
    .update(Buffer.from(berth.broker.ca.replace(/-----[^-]+-----|\s/g, ''), 'base64'))
    .digest('hex')}`
  const child = at.spawnInside(
    [
      process.execPath,
      join(ROOT, 'dist/thin-client/berth-thin-client.mjs'),
      '--broker',
      `${berth.fleet.gateway}:${berth.broker.port}`,
      '--ca',
      pin,
      '--state-dir',
      join(at.stateDir, 'agent'),
      '--display',
      'existing',
    ],
    { env: { DISPLAY: on.display } },
  )
  const agent: DeskAgent = {
    said: '',
    stop: async () => {
      child.kill('SIGTERM')
      await until(() => child.exitCode !== null || child.signalCode !== null, {
        withinMs: 10_000,
        what: 'the agent has ended',
      })
    },
  }
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      agent.said += data.toString()
    })
  return agent
}

/** Photographs the screen into `picture` until a guest on it says this of itself. */
export async function untilShown(
  screen: Screen,
  picture: string,
  wanted: Partial<GuestScreen>,
  withinMs = 60_000,
): Promise<GuestScreen> {
  return await until(
    async () => {
      await screen.screenshot(picture)
      const seen = await readGuestScreen(picture)
      for (const [key, value] of Object.entries(wanted))
        if (seen[key as keyof GuestScreen] !== value)
          throw new Error(`it shows ${JSON.stringify(seen)}`)
      return seen
    },
    { withinMs, everyMs: 500, what: `the desk shows ${JSON.stringify(wanted)}` },
  )
}
