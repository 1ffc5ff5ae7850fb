import type { Test } from 'tap'
import type { HypervisorLink } from '../../../broker/hypervisors/hypervisor.js'
import { until } from '../../support/until.js'
import { DOMAIN, doomed, type LinkUnderTest } from './link-under-test.js'
import { fences, foreignFiles, images, replays } from './link-contract-files.js'
import { domains, foreignDomains, tickets } from './link-contract-domains.js'

/**
 * What every connection to a hypervisor keeps, the real one and the simulated one. `makeLink` gives a
 * connection that is up, and is called once for each part.
 */
export function linkContract(t: Test, makeLink: () => Promise<LinkUnderTest>): void {
  const part = (name: string, body: (t: Test, it: LinkUnderTest) => Promise<void>): void => {
    void t.test(name, async (t) => {
      const it = await makeLink()
      await sweep(it.link)
      try {
        await body(t, it)
      } finally {
        if (it.link.status().state === 'up') await sweep(it.link)
        await it.close()
      }
    })
  }
  part('it is up and says what the host is', aboutTheHost)
  part('what checks look at has one form, and a visit of its own leaves nothing', looks)
  part('images are made, copied once, and removed only when nobody stands on them', images)
  part('an operation that is asked again gives its first answer', replays)
  part('an older broker is refused', fences)
  part(
    'domains are defined, started, stopped and undefined, and each may be asked twice where it must',
    domains,
  )
  part('a domain that is not the one meant is left alone', foreignDomains)
  part('a file that was not made for it is neither replaced nor removed', foreignFiles)
  part('a ticket is for a running machine', tickets)
  part('a connection that is cut is told, and comes back', comesBack)
}

async function sweep(link: HypervisorLink): Promise<void> {
  await link.untilUp(20_000)
  for (const { name, uuid, power } of await link.listDomains()) {
    if (!name.startsWith('contract-')) continue
    if (power !== 'off') await link.destroyDomain({ name, uuid })
    await link.request('domain_undefine', { name, uuid })
  }
  await link.request('image_remove', { dir: 'overlays', items: [doomed(`${DOMAIN}.qcow2`)] })
  await link.request('image_remove', {
    dir: 'images',
    items: ['contract-src.qcow2', 'contract-base.g1.qcow2', 'contract-base.g2.qcow2'].map(doomed),
  })
}

async function aboutTheHost(t: Test, { link, statuses }: LinkUnderTest): Promise<void> {
  const { state, reason, facts } = link.status()
  t.same([state, reason], ['up', ''])
  t.equal(statuses.at(-1)?.state, 'up')
  t.ok(
    (facts?.cores ?? 0) > 0 &&
      (facts?.memory_mib ?? 0) > 0 &&
      (facts?.directories.images.free_bytes ?? 0) > 0,
  )
  for (const name of ['images', 'overlays', 'transient'] as const)
    t.match(facts?.directories[name].path, /^\//, name)
  await t.rejects(link.request('no_such_operation', {}), {
    name: 'BrokerError',
    code: 'hypervisor_refused',
  })
}

const DIRECTORY = {
  path: /^\//,
  fault: null,
  owner: String,
  mode: /^[0-7]+$/,
  device: Number,
  free_bytes: Number,
  total_bytes: Number,
  free_inodes: Number,
  total_inodes: Number,
  writable: true,
  reflink: Boolean,
  keeps_marks: true,
  closed_by: null,
}
const LOOKS = {
  clock: { clock_ms: Number },
  sshd: {
    settings: {
      maxsessions: /^\d+$/,
      maxstartups: /^\d+/,
      allowtcpforwarding: String,
      allowstreamlocalforwarding: String,
    },
  },
  libvirt: { libvirt: /^\d+\.\d+/, qemu: /^\d+\.\d+/ },
  programs: { qemu_img: String, qemu: String },
  networks: { networks: Array, bridges: Array },
  addresses: { addresses: [String] },
  certificate_key: { present: Boolean, matches: Boolean },
  account: {
    groups: ['libvirt'],
    rule_is_ours: true,
    rule_mode: '440 0:0',
    commands: [String],
    keys: [{ restricted: true, forced: true }],
  },
  directories: { images: DIRECTORY, overlays: DIRECTORY, transient: DIRECTORY },
  files: { images: Array, overlays: Array, transient: Array },
}

async function looks(t: Test, { link }: LinkUnderTest): Promise<void> {
  t.match(await link.contact('name'), { seen: String })
  t.match(await link.contact('port'), { seen: /^\d+ ms$/ })
  t.match(await link.contact('host-key'), { seen: /^SHA256:/ })
  const visit = await link.visit()
  if (!('request' in visit)) throw new Error(visit.reason)
  const { images, overlays, transient } = link.status().facts?.directories ?? {}
  const directories = { images: images?.path, overlays: overlays?.path, transient: transient?.path }
  for (const [look, form] of Object.entries(LOOKS))
    t.match(await visit.request('host_look', { look, directories }), form, look)
  visit.close()
  t.equal(link.status().state, 'up', 'the connection itself is as it was')
}

async function comesBack(
  t: Test,
  { link, statuses, cut, reconnect }: LinkUnderTest,
): Promise<void> {
  await cut()
  await until(() => statuses.at(-1)?.state !== 'up', { withinMs: 20_000, what: 'the cut is told' })
  reconnect()
  await link.untilUp(30_000)
  t.type(await link.listDomains(), Array)
  const aborted = AbortSignal.abort()
  await t.rejects(link.request('facts', {}, { signal: aborted }), { code: 'cancelled' })
  await link.close()
  await t.rejects(link.request('facts', {}), { code: 'hypervisor_unreachable' })
  await t.rejects(link.listDomains(), { code: 'hypervisor_unreachable' })
  await t.rejects(link.untilUp(100), { code: 'hypervisor_unreachable' })
}
