import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../fleet/command.js'
import { BerthOnFleet, IMAGES, OVERLAYS } from '../../support/berth-on-fleet.js'
import { ROOT } from '../../support/broker-process.js'
import { until } from '../../support/until.js'

/* The walk that users of small desktop pools know: a golden machine, a pool of three, one handed out, connected, taken back, all torn down. */
t.setTimeout(300_000)
const berthOnFleet = await BerthOnFleet.start({ hosts: 2, name: 'walk' })
t.teardown(async () => { await berthOnFleet.stop() })

/** `berth` as it is installed, logged in by its environment. */
async function berth (line: string): Promise<{ code: number, stdout: string, stderr: string }> {
  const { broker, api } = berthOnFleet
  const env = { ...process.env, NODE_OPTIONS: '', BERTH_BROKER: `${broker.options.address}:${broker.port}`, BERTH_CA: join(broker.options.directory, 'data', 'ca.pem'), BERTH_TOKEN: api.token ?? '' }
  return await run([process.execPath, join(ROOT, 'dist/cli/main.js'), ...line.split(' ')], { env })
}
