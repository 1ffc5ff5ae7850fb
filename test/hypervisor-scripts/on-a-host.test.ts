import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startFleet } from '../fleet/fleet.js'
import { consoleTests } from './consoles.js'
import { imageTests } from './images.js'
import { installerTests } from './installer.js'
import { overlayTests } from './overlays.js'
import { protocolTests } from './protocol.js'
import { buildScripts } from './prepared-host.js'
import { streamTests } from './streams.js'

const timeoutMs = 240_000
t.setTimeout(timeoutMs)

t.test('what is installed on a hypervisor', { timeout: timeoutMs }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-scripts-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const installer = await buildScripts(folder)
  const fleet = await startFleet({ hosts: 1, name: 'scripts' })
  t.teardown(() => fleet.stop())
  const [host] = fleet.hosts
  if (!host) throw new Error('one host was asked for')
  await installerTests(t, host, installer, folder)
  await protocolTests(t, host)
  await t.test('images', (t) => imageTests(t, host))
  await t.test('overlays', (t) => overlayTests(t, host))
  await t.test('streams', (t) => streamTests(t, host))
  await t.test('consoles', (t) => consoleTests(t, host))
})
