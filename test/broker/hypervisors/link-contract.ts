import type { Test } from 'tap'
import { domainXml } from '../../../broker/hypervisors/domain-xml.js'
import type { HelperEvent } from '../../../broker/events/map.js'
import type {
  DomainId,
  HypervisorLink,
  LinkStatus,
} from '../../../broker/hypervisors/hypervisor.js'
import { until } from '../../support/until.js'

/** A line to a host on which nothing else has names that begin with `contract-`. */
export interface LinkUnderTest {
  readonly link: HypervisorLink
  readonly events: readonly HelperEvent[]
  readonly statuses: readonly LinkStatus[]
  /** Under which its guests run: qemu is slower, but is to be had everywhere. */
  readonly virtType: 'kvm' | 'qemu'
  /** Cuts the line; it comes back by itself, or when `reconnect` is called. */
  readonly cut: () => void | Promise<void>
  readonly reconnect: () => void
  readonly close: () => Promise<void>
}

interface Items {
  readonly items: ReadonlyArray<{
    name: string
    ok: boolean
    base?: string | null
    error?: { code: string; message: string }
  }>
}

const DOMAIN = 'contract-pc'
const UUID = 'c0ffee00-0000-4000-8000-000000000001'
const OTHER_UUID = 'c0ffee00-0000-4000-8000-000000000002'
const IT = { name: DOMAIN, uuid: UUID }
/** For whom the contract's files are made. */
const owner = 'contract'
const doomed = (name: string): object => ({ name, owner })
const SIZE = 64 * 1_048_576
/** A fence may only grow on a host: by the clock, as the broker's does. */
const fence = (): number => Math.floor(Date.now() / 1000)

/**
 * What every line to a hypervisor keeps, the real one and the simulated one. `makeLink` gives a
 * line that is up, and is called once for each part.
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
  part('a line that is cut is told, and comes back', comesBack)
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
  t.equal(link.status().state, 'up', 'the line itself is as it was')
}

const copy = async (
  link: HypervisorLink,
  name: string,
  operation?: string,
): Promise<{ sha256: string; virtual_size: number; bytes: number }> =>
  await link.request(
    'image_copy',
    { source: { dir: 'images', name: 'contract-src.qcow2' }, name, owner },
    { timeoutMs: 60_000, ...(operation === undefined ? {} : { operation }) },
  )
const overlay = async (link: HypervisorLink, base: string): Promise<Items> =>
  await link.request('overlay_create', {
    items: [{ name: `${DOMAIN}.qcow2`, base, fresh: true, owner }],
  })

async function images(t: Test, { link }: LinkUnderTest): Promise<void> {
  const source = { name: 'contract-src.qcow2', size_bytes: SIZE, owner }
  const operation = `contract:${Date.now()}:${Math.random()}`
  await link.request('image_create', source, { operation })
  await link.request('image_create', source, { operation }) // the same wish is answered again
  await t.rejects(
    link.request('image_create', source),
    { code: 'name_taken' },
    'another one is not',
  )
  const image = await copy(link, 'contract-base.g1.qcow2')
  t.match(image, { sha256: /^[0-9a-f]{64}$/ })
  t.ok(image.bytes > 0 && image.virtual_size > 0)
  await t.rejects(
    copy(link, 'contract-base.g1.qcow2'),
    { code: 'name_taken' },
    'an image is never overwritten',
  )
  t.match(await overlay(link, 'contract-base.g2.qcow2'), {
    items: [{ name: `${DOMAIN}.qcow2`, ok: false, error: { code: 'not_found' } }],
  })
  t.match(await overlay(link, 'contract-base.g1.qcow2'), {
    items: [{ name: `${DOMAIN}.qcow2`, ok: true }],
  })
  const list = await link.request<Items>('overlay_list', {})
  t.equal(
    list.items.find((item) => item.name === `${DOMAIN}.qcow2`)?.base,
    'contract-base.g1.qcow2',
  )
  const remove = async (dir: string, name: string): Promise<Items> =>
    await link.request('image_remove', { dir, items: [doomed(name)] })
  t.match(await remove('images', 'contract-base.g1.qcow2'), {
    items: [{ ok: false, error: { code: 'in_use' } }],
  })
  for (let time = 0; time < 2; time++)
    t.match(
      await remove('overlays', `${DOMAIN}.qcow2`),
      { items: [{ ok: true }] },
      'one that is gone counts as removed',
    )
  t.match(await remove('images', 'contract-base.g1.qcow2'), { items: [{ ok: true }] })
}

async function replays(t: Test, { link }: LinkUnderTest): Promise<void> {
  await link.request('image_create', { name: 'contract-src.qcow2', size_bytes: SIZE, owner })
  const operation = `contract:${Date.now()}:${Math.random()}`
  const first = await copy(link, 'contract-base.g1.qcow2', operation)
  t.same(await copy(link, 'contract-base.g1.qcow2', operation), first)
  await t.rejects(copy(link, 'contract-base.g1.qcow2', `${operation}:other`), {
    code: 'name_taken',
  })
}

async function fences(t: Test, { link }: LinkUnderTest): Promise<void> {
  const now = fence()
  const operation = `contract:${Date.now()}:${Math.random()}`
  const create = async (number: number): Promise<unknown> =>
    await link.request(
      'image_create',
      { name: 'contract-src.qcow2', size_bytes: SIZE, owner },
      { fence: number, operation },
    )
  await create(now)
  await create(now)
  await t.rejects(create(now - 1), { code: 'hypervisor_refused', message: /newer broker/ })
}

async function domains(t: Test, { link, events, virtType }: LinkUnderTest): Promise<void> {
  await prepareDomain(link, virtType)
  const power = async (): Promise<string> =>
    (await link.listDomains()).find((domain) => domain.uuid === UUID)?.power ?? 'missing'
  t.equal(await power(), 'off')
  await link.startDomain(IT)
  t.equal(await power(), 'running')
  await until(() => events.some((event) => event.event === 'domain' && event.name === DOMAIN), {
    withinMs: 10_000,
    what: 'the start is pushed',
  })
  await t.rejects(link.startDomain(IT), { name: 'BrokerError', code: 'hypervisor_refused' })
  await t.rejects(link.request('domain_undefine', IT), { code: 'machine_running' })
  t.match(await overlay(link, 'contract-base.g1.qcow2'), {
    items: [{ ok: false, error: { code: 'in_use' } }],
  })
  await define(link, virtType) // takes effect at the next start
  t.equal(await power(), 'running')
  t.match(await link.domainXml(DOMAIN), new RegExp(UUID))
  await link.destroyDomain(IT)
  t.equal(await power(), 'off')
  for (let time = 0; time < 2; time++) await link.request('domain_undefine', IT)
  t.equal(await power(), 'missing')
  await t.rejects(link.startDomain(IT), { name: 'BrokerError', code: 'hypervisor_refused' })
}

/** One of the same name and another UUID, running, and one of the same UUID and another name. */
async function foreignDomains(t: Test, { link, virtType }: LinkUnderTest): Promise<void> {
  await prepareDomain(link, virtType)
  await link.startDomain(IT)
  const before = await link.domainXml(DOMAIN)
  for (const other of [
    { name: DOMAIN, uuid: OTHER_UUID },
    { name: 'contract-else', uuid: UUID },
  ]) {
    const asked = { domain: other.name, uuid: other.uuid }
    const refused = { name: 'BrokerError', code: 'foreign' }
    const what = `${other.name} ${other.uuid}`
    await t.rejects(link.startDomain(other), refused, `start ${what}`)
    await t.rejects(link.shutdownDomain(other), refused, `shut down ${what}`)
    await t.rejects(link.destroyDomain(other), refused, `power off ${what}`)
    await t.rejects(link.resumeDomain(other), refused, `resume ${what}`)
    await t.rejects(define(link, virtType, other), refused, `define ${what}`)
    await t.rejects(link.request('domain_reboot', other), refused, `reboot ${what}`)
    await t.rejects(link.request('domain_reset', other), refused, `reset ${what}`)
    await t.rejects(
      link.request('domain_metadata', { ...other, xml: '<berth/>' }),
      refused,
      `metadata of ${what}`,
    )
    await t.rejects(link.request('disconnect', asked), refused, `disconnect ${what}`)
    await t.rejects(
      link.request('transient_clear', { ...asked, name: `${DOMAIN}.qcow2` }),
      refused,
      `clear the layer of ${what}`,
    )
    const ticket = { password: 'contract-contract-contract', ttl_seconds: 30, connected: 'keep' }
    await t.rejects(link.request('ticket', { ...asked, ...ticket }), refused, `ticket for ${what}`)
    t.match(
      await link.request('in_the_way', { items: [other] }),
      { items: [{ name: other.name, ok: false, error: { code: 'foreign' } }] },
      `in the way of ${what}`,
    )
  }
  await link.request('domain_undefine', { name: DOMAIN, uuid: OTHER_UUID }) // that one is gone, whoever has the name
  await t.rejects(link.request('domain_undefine', { name: 'contract-else', uuid: UUID }), {
    code: 'foreign',
  })
  t.equal(await link.domainXml(DOMAIN), before, 'it is what it was, and runs')
  t.match(await link.request('in_the_way', { items: [IT] }), { items: [{ ok: true }] })
}

async function foreignFiles(t: Test, { link }: LinkUnderTest): Promise<void> {
  const other = 'somebody'
  const refused = { items: [{ ok: false, error: { code: 'foreign' } }] }
  await link.request('image_create', { name: 'contract-src.qcow2', size_bytes: SIZE, owner })
  await copy(link, 'contract-base.g1.qcow2')
  await overlay(link, 'contract-base.g1.qcow2')
  const images = ['contract-src.qcow2', 'contract-base.g1.qcow2']
  for (const [dir, name] of [
    ...images.map((name) => ['images', name] as const),
    ['overlays', `${DOMAIN}.qcow2`] as const,
  ]) {
    const ask = { dir, items: [{ name, owner: other }] }
    t.match(await link.request('image_remove', ask), refused, `remove ${name}`)
    const wanted = { name: DOMAIN, dir, file: name }
    t.match(
      await link.request('in_the_way', { items: [{ ...wanted, owner: other }] }),
      { items: [{ name: DOMAIN, ok: false, error: { code: 'foreign' } }] },
      `in the way: ${name}`,
    )
    t.match(await link.request('in_the_way', { items: [{ ...wanted, owner }] }), {
      items: [{ ok: true }],
    })
    t.match(
      await link.request('files_adopt', { items: [{ dir, name, owner: other }] }),
      refused,
      `adopt ${name}`,
    )
  }
  t.match(
    await link.request('image_remove', {
      dir: 'images',
      items: [{ name: 'contract-src.qcow2', owner, made_by: 'another-operation' }],
    }),
    refused,
    'made for it, but not by the operation that is taken back',
  )
  const source = { dir: 'images', name: 'contract-src.qcow2' }
  for (const name of images) {
    await t.rejects(
      link.request('image_create', { name, size_bytes: SIZE, owner: other }),
      { code: 'foreign' },
      `create ${name}`,
    )
    await t.rejects(
      link.request('image_copy', { source, name, owner: other }),
      { code: 'foreign' },
      `copy to ${name}`,
    )
  }
  const item = { name: `${DOMAIN}.qcow2`, base: 'contract-base.g1.qcow2', fresh: true }
  t.match(
    await link.request('overlay_create', { items: [{ ...item, owner: other }] }),
    refused,
    'renew the overlay',
  )
}

async function tickets(t: Test, { link, virtType }: LinkUnderTest): Promise<void> {
  await prepareDomain(link, virtType)
  const ticket = async (): Promise<unknown> =>
    await link.request('ticket', {
      domain: DOMAIN,
      uuid: UUID,
      password: 'contract-contract-contract',
      ttl_seconds: 30,
      connected: 'keep',
    })
  await t.rejects(ticket(), { code: 'not_found' })
  await link.startDomain(IT)
  t.match(await ticket(), { tls_port: Number })
  t.match(await link.request('displays', { domains: [DOMAIN] }), {
    items: [{ name: DOMAIN, spice: [], vnc: [] }],
  })
  await link.destroyDomain(IT)
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

async function prepareDomain(link: HypervisorLink, virtType: 'kvm' | 'qemu'): Promise<void> {
  await link.request('image_create', { name: 'contract-src.qcow2', size_bytes: SIZE, owner })
  await copy(link, 'contract-base.g1.qcow2')
  await overlay(link, 'contract-base.g1.qcow2')
  await define(link, virtType)
}

async function define(
  link: HypervisorLink,
  virtType: 'kvm' | 'qemu',
  { name, uuid }: DomainId = IT,
): Promise<void> {
  const directory = link.status().facts?.directories.overlays.path ?? ''
  await link.defineDomain(
    domainXml({
      name,
      uuid,
      virtType,
      memoryMib: 64,
      vcpus: 1,
      firmware: 'bios',
      network: 'none',
      mac: '52:54:00:c0:ff:ee',
      serial: DOMAIN,
      disk: `${directory}/${DOMAIN}.qcow2`,
      transient: false,
      destroyOnReboot: false,
      listen: '127.0.0.1',
      metadata: {},
      template: null,
    }),
  )
}
