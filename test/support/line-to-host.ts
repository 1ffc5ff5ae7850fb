import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Authority } from '../../broker/certificates/authority.js'
import type { HelperEvent } from '../../broker/events/map.js'
import type { LinkSettings, LinkStatus } from '../../broker/hypervisors/hypervisor.js'
import { LibvirtProcesses } from '../../broker/hypervisors/libvirt-processes.js'
import { SshLink } from '../../broker/hypervisors/link.js'
import { DEFAULT_DIRECTORIES } from '../../broker/hypervisors/store.js'
import { ownKey } from '../../broker/hypervisors/own-key.js'
import type { LinkUnderTest } from '../broker/hypervisors/link-under-test.js'
import { startFleet } from '../fleet/fleet.js'
import type { FleetHost } from '../fleet/fleet-host.js'
import { buildScripts, runInstaller } from '../hypervisor-scripts/prepared-host.js'

export interface LineToHost {
  readonly host: FleetHost
  /** A new line, which connects by itself. */
  readonly open: () => LinkUnderTest
  readonly stop: () => Promise<void>
}

/** One real host on which Berth is installed, and lines to it without a broker around them. */
export async function lineToHost(name: string): Promise<LineToHost> {
  const directory = mkdtempSync(join(tmpdir(), `berth-${name}-`))
  const fleet = await startFleet({ hosts: 1, name })
  const processes = new LibvirtProcesses(1)
  const [host] = fleet.hosts
  if (!host) throw new Error('the fleet has no host')
  const key = await ownKey(join(directory, 'ssh-key'), {
    log: pino({ level: 'silent' }),
    isEnrolled: async () => false,
  })
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
  const open = (): LinkUnderTest => openLine(host, settings, key.privateKey, processes)
  await certify(open(), settings, directory)
  return {
    host,
    open,
    stop: async () => {
      processes.stop()
      await fleet.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function openLine(
  host: FleetHost,
  settings: LinkSettings,
  privateKey: string,
  processes: LibvirtProcesses,
): LinkUnderTest {
  const events: HelperEvent[] = []
  const statuses: LinkStatus[] = []
  const link = new SshLink(settings.name, {
    settings: () => settings,
    privateKey,
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
    await host.kill('sshd')
    await host.restart('sshd')
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
async function certify(
  { link, close }: LinkUnderTest,
  settings: LinkSettings,
  directory: string,
): Promise<void> {
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
