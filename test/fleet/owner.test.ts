import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { processesIn } from './processes.js'
import { nothing, remainsOf } from './remains.js'

const testTimeoutMs = 180_000
const OWNER = fileURLToPath(new URL('owner-process.js', import.meta.url))

// The runner's own 30 s for a file are too short for three fleets.
t.setTimeout(3 * testTimeoutMs)

for (const signal of ['SIGKILL', 'SIGINT', 'SIGTERM'] as const) {
  t.test(`${signal} to a fleet's owner leaves nothing`, { timeout: testTimeoutMs }, async (t) => {
    const owner = spawn(process.execPath, [OWNER], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => owner.kill('SIGKILL'))
    const { value } = await createInterface({ input: owner.stdout })[Symbol.asyncIterator]().next()
    const up = JSON.parse(String(value)) as { bridge: string; folder: string; namespaces: string[] }
    t.ok(up.namespaces.every((namespace) => processesIn(namespace).length > 0))
    owner.kill(signal)
    await once(owner, 'exit')
    t.strictSame(await remainsOf(up.bridge, up.folder, up.namespaces), nothing)
  })
}
