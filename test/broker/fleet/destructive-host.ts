import t from 'tap'
import { openHelper } from '../../hypervisor-scripts/prepared-host.js'
import { lineToHost } from '../../support/line-to-host.js'

export const { host, open, stop } = await lineToHost('ends')
t.teardown(stop)

export const FOLDER = '/var/lib/berth'
export const CERTIFICATE = '/etc/pki/libvirt-spice/server-cert.pem'
export const MIB = 1_048_576

export const own = { ...open(), line: await openHelper(host) }
