import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { removeOrphanedSockets } from '../../../broker/hypervisors/socket-forward.js'

t.test('what a killed broker left is removed, what a living one uses is not', async (t) => {
  const [dead, living, empty] = [1, 2, 3].map(() =>
    mkdtempSync(join(tmpdir(), 'berth-libvirt-')),
  ) as [string, string, string]
  const other = join(t.testdir({}), 'berth-libvirt-x')
  mkdirSync(other)
  const listen =
    "require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))"
  t.equal(
    spawnSync(process.execPath, ['-e', listen, join(dead, 'libvirt')], {
      env: { ...process.env, NODE_OPTIONS: '' },
    }).signal,
    'SIGKILL',
  )
  t.ok(existsSync(join(dead, 'libvirt')), 'the kill left a socket')
  const server = createServer().listen(join(living, 'libvirt'))
  await once(server, 'listening')
  await removeOrphanedSockets()
  t.same(
    [dead, living, empty, other].map((path) => existsSync(path)),
    [false, true, true, true],
  )
  server.close()
  for (const path of [living, empty]) spawnSync('rm', ['-rf', '--', path])
})
