import { join } from 'node:path'
import t from 'tap'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { CliUnderTest, type Ended, type RunOptions } from './run-cli.js'

export const cli = await CliUnderTest.compile()
t.teardown(() => {
  cli.remove()
})

/** `berth` against a real broker with simulated hosts, as its first administrator. */
export function berthOf(broker: SimulatedBroker, token = broker.token) {
  const env = {
    BERTH_BROKER: broker.url.replace('https://', ''),
    BERTH_CA: join(broker.directory, 'data', 'ca.pem'),
    BERTH_TOKEN: token,
  }
  return async (line: string | string[], options: RunOptions = {}): Promise<Ended> =>
    await cli.run(typeof line === 'string' ? line.split(' ') : line, {
      ...options,
      env: { ...env, ...options.env },
    })
}
