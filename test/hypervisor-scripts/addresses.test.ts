import { join } from 'node:path'
import t from 'tap'
import { runCommand } from '../fleet/command.js'
import { ROOT } from '../support/broker-process.js'

/** In a network namespace of its own: the host's networks are not touched. */
for (const rpFilter of ['0', '1', '2'])
  t.test(
    `a guest that claims the addresses of others gets none (rp_filter ${rpFilter})`,
    async (t) => {
      const { code, stdout, stderr } = await runCommand([
        'unshare',
        '--net',
        '--mount',
        'sh',
        '-ec',
        'mkdir -p /run/netns; mount -t tmpfs tmpfs /run/netns; mount -t sysfs sysfs /sys; exec python3 "$@"',
        'sh',
        join(ROOT, 'test/hypervisor-scripts/lying-guest.py'),
        join(ROOT, 'hypervisor-scripts/helper'),
        rpFilter,
      ])
      t.equal(code, 0, stderr)
      const found = JSON.parse(stdout) as { table: string[]; proven: string[]; on_link: string[] }
      for (const claimed of [
        '10.9.0.5',
        '172.16.3.4',
        '192.168.200.9',
        'fd00:9::5',
        '192.168.122.20',
        'fd00:1::20',
      ])
        t.ok(found.table.includes(claimed), `the neighbour table believes ${claimed}`)
      t.same(
        found.proven,
        ['192.168.122.10', 'fd00:1::10'],
        'its own addresses count, and no other',
      )
      const onLink = ['192.168.122.10', '192.168.122.20', 'fd00:1::10', 'fd00:1::20']
      t.same(found.on_link, onLink, 'a neighbour is as near as the guest')
    },
  )
