import { writeFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type TestAuthority, makeAuthority } from './certificates.js'
import { CliUnderTest, type Ended, type RunOptions } from './run-cli.js'
import { type StubBroker, startStubBroker } from './stub-broker.js'

/** What an administrator pastes on a new hypervisor. */
export const INSTALL_LINE = 'curl -fsS https://broker/install/hypervisor.sh | bash'
export const TOKEN = 'berth-token-of-the-test'

export interface Bench {
  readonly cli: CliUnderTest
  readonly broker: StubBroker
  readonly authority: TestAuthority
  /** Runs `berth` logged in. */
  readonly berth: (words: readonly string[], options?: RunOptions) => Promise<Ended>
  readonly logIn: () => void
}

/** A compiled client and a stub broker, logged in, gone at the end of the test. */
export async function bench(t: Test): Promise<Bench> {
  const authority = await makeAuthority('Berth')
  const [cli, broker] = await Promise.all([
    CliUnderTest.compile(),
    startStubBroker(await authority.issue(['127.0.0.1', 'localhost'])),
  ])
  t.teardown(async () => {
    await broker.close()
    cli.remove()
  })
  const logIn = (): void => {
    mkdirSync(join(cli.folder, 'config', 'berth'), { recursive: true, mode: 0o700 })
    writeFileSync(
      join(cli.folder, 'config', 'berth', 'cli.json'),
      JSON.stringify({ broker: broker.address, ca: authority.pin, token: TOKEN }),
      { mode: 0o600 },
    )
  }
  logIn()
  return {
    cli,
    broker,
    authority,
    logIn,
    berth: async (words, options) => await cli.run(words, options),
  }
}
