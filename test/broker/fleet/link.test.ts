import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { Authority } from '../../../broker/certificates/authority.js'
import type { HelperEvent } from '../../../broker/hypervisors/helper-channel.js'
import type { LinkSettings, LinkStatus } from '../../../broker/hypervisors/hypervisor.js'
import { LibvirtProcesses } from '../../../broker/hypervisors/libvirt-processes.js'
import { SshLink } from '../../../broker/hypervisors/link.js'
import { DEFAULT_DIRECTORIES } from '../../../broker/hypervisors/service.js'
import { ownKey } from '../../../broker/hypervisors/own-key.js'
import { startFleet } from '../../fleet/fleet.js'
import { buildScripts, runInstaller } from '../../hypervisor-scripts/prepared-host.js'
import { until } from '../../support/until.js'
import { linkContract, type LinkUnderTest } from '../hypervisors/link-contract.js'

t.setTimeout(900_000)

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

/** Open files and threads of this process and of the one that carries the libvirt calls. */
function held(): { files: number; libvirtFiles: number; libvirtThreads: number } {
  const carrier = readdirSync('/proc').find(
    (pid) =>
      /^\d+$/.test(pid) &&
      readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] ===
        String(process.pid) &&
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('libvirt-process.'),
  )
  if (carrier === undefined) throw new Error('no process carries the libvirt calls')
  return {
    files: readdirSync('/proc/self/fd').length,
    libvirtFiles: readdirSync(`/proc/${carrier}/fd`).length,
    libvirtThreads: readdirSync(`/proc/${carrier}/task`).length,
  }
}
async function anew({ link }: LinkUnderTest): Promise<void> {
  const { sinceMs } = link.status()
  ;(link as SshLink).reconnect()
  await until(() => link.status().state === 'up' && link.status().sinceMs !== sinceMs, {
    withinMs: 30_000,
    everyMs: 5,
    what: 'the line is made anew',
  })
  await link.listDomains()
}

t.test('fifty reconnects leave no file, connection or thread behind', async (t) => {
  const line = open()
  await line.link.untilUp(30_000)
  for (let round = 0; round < 5; round += 1) await anew(line)
  const before = held()
  for (let round = 0; round < 50; round += 1) await anew(line)
  const slack = 4 // what the last one has not given back yet
  await until(
    () => {
      const after = held()
      const more = (Object.keys(before) as Array<keyof typeof before>).filter(
        (what) => after[what] > before[what] + slack,
      )
      if (more.length > 0) throw new Error(`${JSON.stringify(before)} → ${JSON.stringify(after)}`)
      return true
    },
    { withinMs: 10_000, what: 'all is given back' },
  )
  t.comment(JSON.stringify({ before, after: held() }))
  await line.close()
})

t.test('a helper that dies while the line is made does not leave it up without one', async (t) => {
  const line = open()
  await line.link.untilUp(30_000)
  for (let round = 0; round < 25; round += 1) {
    ;(line.link as SshLink).reconnect()
    const killAt = performance.now() + round * 25
    await until(() => performance.now() >= killAt, {
      withinMs: 2_000,
      everyMs: 5,
      what: 'a moment',
    })
    await host.kill('helper')
    await until(
      async () => {
        await line.link.request('ping', {}, { timeoutMs: 2_000 })
        await line.link.listDomains()
        return true
      },
      { withinMs: 30_000, everyMs: 20, what: `it works again after a death ${round * 25} ms on` },
    )
  }
  t.pass('each time another helper came')
  await line.close()
})
