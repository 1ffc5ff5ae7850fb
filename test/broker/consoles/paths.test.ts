import t from 'tap'
import { displayPaths, inOrder, servicePaths } from '../../../broker/consoles/paths.js'

const MACHINE = {
  id: 'm',
  name: 'pc-1',
  hypervisor: 'hv1',
  network: 'network:default',
  power: 'running',
}
const RDP = {
  protocol: 'rdp',
  port: 3389,
  localPort: 13389,
  direct: (address: string) => `xfreerdp /v:${address}`,
  forwarded: (port: number) => `xfreerdp /v:127.0.0.1:${port}`,
} as const

t.test('the display', async (t) => {
  t.match(displayPaths(MACHINE, '10.0.0.1', 0), [
    { via: 'direct', reachable: true, commands: ['berth connect pc-1 --via direct'] },
    { via: 'proxy', reachable: false, sentence: /console-proxy-port/ },
    { protocol: 'vnc', via: 'browser', reachable: true, commands: ['/machines/pc-1/console'] },
  ])
  t.match(displayPaths(MACHINE, '127.0.0.1', 8444), [
    { via: 'direct', reachable: false, sentence: /loopback only/ },
    { via: 'proxy', reachable: true, address: null },
    {},
  ])
  t.match(displayPaths({ ...MACHINE, power: 'off' }, '10.0.0.1', 8444), [
    { reachable: false, sentence: 'pc-1 is not running.', commands: [] },
    { reachable: false },
    { protocol: 'vnc', reachable: false, commands: [] },
  ])
})

t.test('a service of the guest', async (t) => {
  t.match(servicePaths(MACHINE, RDP, null), [
    { reachable: false, sentence: /Nothing answers on port 3389 within 1\.5 s/ },
  ])
  t.match(servicePaths(MACHINE, RDP, '192.168.122.7'), [
    {
      via: 'forward',
      commands: ['berth port-forward pc-1 13389:3389', 'xfreerdp /v:127.0.0.1:13389'],
    },
  ])
  t.match(
    servicePaths({ ...MACHINE, network: 'bridge:br0' }, RDP, '10.1.0.7').map((path) => path.via),
    ['direct', 'forward'],
  )
})

t.test("the order is the policy's", async (t) => {
  const paths = [...displayPaths(MACHINE, '10.0.0.1', 0), ...servicePaths(MACHINE, RDP, '10.1.0.7')]
  t.same(
    inOrder(paths, ['rdp', 'spice']).map((path) => path.protocol),
    ['rdp', 'spice', 'spice', 'vnc'],
  )
  t.same(inOrder(paths, []), paths)
})
