import { join } from 'node:path'
import t from 'tap'
import { runCommand } from '../fleet/command.js'
import { ROOT } from '../support/broker-process.js'

const PRIVATE =
  'for one in /run/libvirt /var/lib/libvirt /var/log/libvirt; do mkdir -p $one; mount -t ' +
  'tmpfs tmpfs $one; done; exec python3 "$@"'

t.test('whether a shell has lost libvirtd is seen by its state, not by its words', async (t) => {
  const { code, stdout, stderr } = await runCommand(
    [
      ...['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'],
      ...['sh', '-ec', PRIVATE, 'sh'],
      join(ROOT, 'test/hypervisor-scripts/virsh-shell.py'),
      join(ROOT, 'hypervisor-scripts/helper'),
    ],
    { timeoutMs: 60_000 },
  )
  t.equal(code, 0, stderr)
  const found = JSON.parse(stdout) as Record<string, [string, string, number]>
  t.same(found['answer'], ['', 'running', 1])
  t.match(found['refusal'], ['libvirt', /failed to get domain/, 1], 'a healthy shell is kept')
  t.match(found['away'], ['libvirt', /libvirtd on this host does not answer/])
  for (const moment of ['back', 'restarted', 'afterwards'])
    t.match(found[moment], ['', 'running'], moment)
  t.match(found['during']?.[1], /^running$|libvirtd on this host does not answer/, 'or it is said')
})
