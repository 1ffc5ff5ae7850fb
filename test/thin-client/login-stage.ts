import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { until } from '../support/until.js'
import { bundleAgent } from './agent-under-test.js'
import { waiting } from './answers.js'
import { type BrokerStandIn, startBroker } from './broker-stand-in.js'

export const run = promisify(execFile)
const home = mkdtempSync(join(tmpdir(), 'berth-agent-login-'))
t.teardown(() => {
  rmSync(home, { recursive: true, force: true })
})
export const bundle = await bundleAgent(home)

export const LOGIN = waiting({
  state: 'login',
  sentence: 'Log in to get your desktop.',
  mark: 'login',
  askAgainMs: 600_000,
  ways: { password: true, providers: [{ name: 'corp', title: 'The corporation' }] },
})
export const CHOOSE = waiting({
  state: 'choose',
  sentence: 'ann, choose a desktop.',
  mark: 'choose',
  askAgainMs: 600_000,
  person: 'ann',
  choices: [
    { kind: 'pool', name: 'office', state: 'free', sentence: '2 free' },
    { kind: 'machine', name: 'lab-7', state: 'yours', sentence: 'yours' },
  ],
})

export async function stage(
  t: Test,
  name: string,
): Promise<{ broker: BrokerStandIn; directory: string; args: string[] }> {
  const directory = join(home, name)
  const broker = await startBroker(directory)
  t.teardown(async () => {
    await broker.close()
  })
  return {
    broker,
    directory,
    args: [
      '--broker',
      `127.0.0.1:${broker.port}`,
      '--ca',
      broker.fingerprint,
      '--state-dir',
      join(directory, 'state'),
    ],
  }
}

/** The agent on a terminal of its own (script(1)), as on the first console of a device. */
export function onTerminal(
  t: Test,
  args: readonly string[],
  environment: Record<string, string>,
): { screen: () => string; type: (keys: string) => void; says: (text: string) => Promise<void> } {
  const words = ['env', '-u', 'NODE_OPTIONS', process.execPath, bundle, ...args]
    .map((word) => `'${word}'`)
    .join(' ')
  const child = spawn('script', ['-qfec', words, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH ?? '', ...environment },
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  t.teardown(async () => {
    child.stdin.write('\u0003')
    await until(() => child.exitCode !== null || child.signalCode !== null, {
      withinMs: 15_000,
      what: 'the agent has ended',
    })
  })
  const screen = (): string => text.split('\u001b[2J').at(-1) ?? ''
  return {
    screen,
    type: (keys) => {
      child.stdin.write(keys)
    },
    says: async (wanted) => {
      await until(() => screen().includes(wanted), {
        withinMs: 10_000,
        what: `the screen says ${wanted}`,
      }).catch((error: unknown) => {
        throw new Error(`it shows ${screen()}`, { cause: error })
      })
    },
  }
}
