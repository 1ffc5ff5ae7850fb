import { join } from 'node:path'
import t from 'tap'
import { runCommand } from '../fleet/command.js'
import { ROOT } from '../support/broker-process.js'

const PRIVATE =
  'for one in /run/libvirt /var/lib/libvirt /var/log/libvirt; do mkdir -p $one; mount -t ' +
  'tmpfs tmpfs $one; done; exec /usr/bin/python3 "$@"'

t.test('what the helper asks of a libvirtd that is killed, hangs or is replaced', async (t) => {
  const { code, stdout, stderr } = await runCommand(
    [
      ...['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'],
      ...['sh', '-ec', PRIVATE, 'sh'],
      join(ROOT, 'test/hypervisor-scripts/libvirt-process.py'),
      join(ROOT, 'hypervisor-scripts/helper'),
    ],
    { timeoutMs: 60_000 },
  )
  t.equal(code, 0, stderr)
  const found = JSON.parse(stdout) as Record<string, [string, string, number]>
  t.same(found['answer'], ['', 'running', 1])
  const noDomain = ['libvirt no_domain', /Domain not found/, 1]
  t.match(found['refusal'], noDomain, 'a healthy process is kept')
  t.match(found['lines'], noDomain, 'a name is only a name')
  t.match(
    found['fault'],
    ['internal', /The helper failed in asking libvirt/, 1],
    'it is not asked again',
  )
  t.same(found['after the fault'], ['', 'running', 1])
  t.match(found['away'], ['libvirt', /libvirtd on this host does not answer/])
  t.match(found['hung'], ['timeout', /did not answer within 300 ms/, 1])
  for (const moment of ['back', 'restarted', 'goes on', 'afterwards'])
    t.match(found[moment], ['', 'running'], moment)
  t.match(found['during']?.[1], /^running$|libvirtd on this host does not answer/, 'or it is said')
  t.match(found['without python3-libvirt'], [
    'libvirt missing',
    /install the package python3-libvirt/,
  ])
})
