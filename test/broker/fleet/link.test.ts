import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import ssh2 from 'ssh2'
import t from 'tap'
import { Authority } from '../../../broker/certificates/authority.js'
import type { HelperEvent } from '../../../broker/hypervisors/helper-channel.js'
import type { LinkSettings, LinkStatus } from '../../../broker/hypervisors/hypervisor.js'
import { LibvirtProcesses } from '../../../broker/hypervisors/libvirt-processes.js'
import { SshLink } from '../../../broker/hypervisors/link.js'
import { DEFAULT_DIRECTORIES } from '../../../broker/hypervisors/service.js'
import { ownKey } from '../../../broker/store/own-key.js'
import { startFleet } from '../../fleet/fleet.js'
import { buildScripts, runInstaller } from '../../hypervisor-scripts/prepared-host.js'
import { linkContract, type LinkUnderTest } from '../hypervisors/link-contract.js'

t.setTimeout(200_000)

const directory = mkdtempSync(join(tmpdir(), 'berth-link-'))
const fleet = await startFleet({ hosts: 1, name: 'link' })
const processes = new LibvirtProcesses(1)
t.teardown(async () => {
  processes.stop()
  await fleet.stop()
  rmSync(directory, { recursive: true, force: true })
})
const [host] = fleet.hosts
if (!host) throw new Error('the fleet has no host')
const key = ownKey(join(directory, 'ssh-key'), ssh2.utils)
const installed = await runInstaller(host, await buildScripts(directory), key.publicKey)
if (installed.code !== 0) throw new Error(installed.stderr)
await host.restart('libvirtd')
const settings: LinkSettings = {
  name: host.name,
  address: host.address,
  port: 22,
  hostKeyFingerprint: await host.hostKeyFingerprint(),
  directories: DEFAULT_DIRECTORIES,
}
await certify()

function open(): LinkUnderTest {
  const events: HelperEvent[] = []
  const statuses: LinkStatus[] = []
  const link = new SshLink(settings.name, {
    settings: () => settings,
    privateKey: key.privateKey,
    processes,
    log: pino({ level: 'silent' }),
    events: {
      onStatus: (status) => {
        statuses.push(status)
      },
      onEvent: (event) => {
        events.push(event)
      },
    },
  })
  const cut = async (): Promise<void> => {
    await host?.kill('sshd')
    await host?.restart('sshd')
  }
  return {
    link,
    events,
    statuses,
    virtType: 'qemu',
    cut,
    reconnect: () => {
      link.reconnect()
    },
    close: async () => {
      await link.close()
    },
  }
}

/** Without a certificate for its displays a host starts no domain; the broker gives it one at first contact. */
async function certify(): Promise<void> {
  const { link, close } = open()
  await link.untilUp(20_000)
  const authority = await Authority.open(directory)
  const { csr } = await link.request<{ csr: string }>('spice_certificate_request', {
    common_name: settings.name,
  })
  await link.request('spice_certificate_install', {
    certificate: await authority.signSpice(csr, settings.name, [settings.address]),
    ca: authority.certificate,
  })
  await close()
}

void t.test('a real host keeps the contract of a line', async (t) => {
  linkContract(t, async () => {
    const it = open()
    await it.link.untilUp(20_000)
    return it
  })
})
