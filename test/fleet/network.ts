import { mustRun, runCommand } from './command.js'
import { isSameOwner, type Owner } from './owner.js'

/** A fleet's network: one bridge in the machine's own network namespace. */
export type FleetNetwork = {
  bridge: string
  /** Second number of the addresses: 10.N.0.0/16. */
  number: number
  gateway: string
  subnet: string
}

const firstNumber = 77
const lastNumber = 199
const aliasPrefix = 'berth-fleet'

/** Takes the first free 10.N.0.0/16, from 10.77 on. The bridge's name is the claim: creating it twice fails. */
export async function createNetwork(owner: Owner): Promise<FleetNetwork> {
  const routes = await mustRun(['ip', '-o', '-4', 'route', 'show', 'table', 'all'])
  for (let number = firstNumber; number <= lastNumber; number++) {
    if (new RegExp(`\\b10\\.${number}\\.`).test(routes)) continue
    const bridge = `berth${number}`
    const { code } = await runCommand(['ip', 'link', 'add', 'name', bridge, 'type', 'bridge'])
    if (code !== 0) continue
    await mustRun([
      'ip',
      'link',
      'set',
      'dev',
      bridge,
      'alias',
      `${aliasPrefix} ${owner.pid} ${owner.startTicks}`,
    ])
    await mustRun(['ip', 'link', 'set', 'dev', bridge, 'addrgenmode', 'none'])
    await mustRun(['ip', 'address', 'add', `10.${number}.0.1/16`, 'dev', bridge])
    await mustRun(['ip', 'link', 'set', 'dev', bridge, 'up'])
    return { bridge, number, gateway: `10.${number}.0.1`, subnet: `10.${number}.0.0/16` }
  }
  throw new Error(
    `no network from 10.${firstNumber}.0.0/16 to 10.${lastNumber}.0.0/16 is free; see: ip route`,
  )
}

/** Puts a cable between the bridge and `eth0` in the namespace of process `pid`. */
export async function plugCable(
  network: FleetNetwork,
  cable: string,
  pid: number,
  mac: string,
): Promise<void> {
  const peer = ['peer', 'name', 'eth0', 'address', mac, 'netns', String(pid)]
  await mustRun(['ip', 'link', 'add', 'name', cable, 'type', 'veth', ...peer])
  await mustRun(['ip', 'link', 'set', 'dev', cable, 'addrgenmode', 'none'])
  await mustRun(['ip', 'link', 'set', 'dev', cable, 'master', network.bridge])
  await mustRun(['ip', 'link', 'set', 'dev', cable, 'up'])
}

/** Pulls the plug of a cable at the bridge's end, or puts it back. */
export async function setCable(cable: string, state: 'up' | 'down'): Promise<void> {
  await mustRun(['ip', 'link', 'set', 'dev', cable, state])
}

export async function removeBridge(bridge: string): Promise<void> {
  const { code, stderr } = await runCommand(['ip', 'link', 'delete', 'dev', bridge])
  if (code !== 0 && !stderr.includes('Cannot find device'))
    throw new Error(`ip link delete ${bridge}: ${stderr.trim()}`)
}

/** Removes bridges whose fleet's owner is gone and whose keeper was killed as well. */
export async function removeOrphanedBridges(): Promise<void> {
  const links = JSON.parse(await mustRun(['ip', '-j', 'link', 'show', 'type', 'bridge'])) as {
    ifname?: string
    ifalias?: string
  }[]
  for (const { ifname, ifalias } of links) {
    const [prefix, pid, startTicks] = (ifalias ?? '').split(' ')
    if (
      ifname === undefined ||
      prefix !== aliasPrefix ||
      pid === undefined ||
      startTicks === undefined
    )
      continue
    if (!isSameOwner({ pid: Number(pid), startTicks })) await removeBridge(ifname)
  }
}
