/**
 * Owns a fleet with a running guest and a desk until it is killed, for the test of what
 * is left behind. Prints one line of JSON when all is up.
 */
import { copyFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { startFleet } from './fleet.js'
import { guestImage } from './guest-image.js'
import { plainDomainXml } from './plain-domain.js'
import { namespaceOf } from './processes.js'
import { startScreen } from './screen.js'

const fleet = await startFleet({ hosts: 1, name: 'owned' })
const [host] = fleet.hosts
if (!host) throw new Error('the fleet has no host')
const disk = '/var/lib/libvirt/images/pc-01.qcow2'
copyFileSync(await guestImage(), host.path(disk))
writeFileSync(host.path('/root/pc-01.xml'), plainDomainXml({ name: 'pc-01', disk }))
await host.mustRun(['virsh', 'create', '/root/pc-01.xml'])
const desk = await fleet.addDesk()
await startScreen(desk)
const namespaces = [namespaceOf(host.pid), namespaceOf(desk.pid)]
console.log(JSON.stringify({ bridge: fleet.bridge, folder: dirname(host.stateDir), namespaces }))
