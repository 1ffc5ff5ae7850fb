import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { AskAnswer } from '../../broker/api/thin-clients.js'
import { until } from '../support/until.js'
import { type AgentUnderTest, bundleAgent, startAgent } from './agent-under-test.js'
import { type BrokerStandIn, startBroker } from './broker-stand-in.js'
import { colourAt, photograph } from './x-display.js'

/** The colour of the guest of spice-machine.ts. */
export const GREEN = [0, 170, 0] as const

/** An agent that gets these answers, one after the other; with `prefix` it is started by another program. */
export async function stage(
  t: Test,
  directory: string,
  answers: readonly AskAnswer[],
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  prefix: readonly string[] = [],
): Promise<{ agent: AgentUnderTest; broker: BrokerStandIn }> {
  const broker = await startBroker(join(directory, 'authority'))
  t.teardown(() => broker.close())
  broker.react(...answers)
  const all = [
    '--broker',
    `127.0.0.1:${broker.port}`,
    '--ca',
    broker.fingerprint,
    '--state-dir',
    join(directory, 'state'),
    '--config',
    '/dev/null',
    ...args,
  ]
  const agent = startAgent(
    await bundleAgent(directory),
    all,
    { HOME: directory, XDG_RUNTIME_DIR: join(directory, 'run'), ...environment },
    prefix,
  )
  t.teardown(() => agent.stop())
  return { agent, broker }
}

/** For sockets, states and pictures of one test. */
export function folder(t: Test): string {
  // Not t.testdir: the paths of unix sockets must be short.
  const directory = mkdtempSync(join(tmpdir(), 'berth-viewers-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(join(directory, 'run'), { mode: 0o700 })
  mkdirSync(join(directory, 'spice'))
  return directory
}

/** Photographs the display until a point of it has a colour, with some room for what a viewer's scaling does. */
export async function seeColour(
  display: string,
  file: string,
  [x, y]: [number, number],
  wanted: readonly [number, number, number],
  environment: Readonly<Record<string, string>> = {},
  withinMs = 30_000,
): Promise<void> {
  await until(
    async () => {
      await photograph(display, file, environment)
      const seen = await colourAt(file, x, y)
      return (
        seen.every((value, channel) => Math.abs(value - (wanted[channel] ?? 0)) < 12) ||
        Promise.reject(new Error(`colour ${seen.join(' ')}`))
      )
    },
    { withinMs, everyMs: 300, what: `colour ${wanted.join(' ')} at ${x},${y} of ${file}` },
  )
}
