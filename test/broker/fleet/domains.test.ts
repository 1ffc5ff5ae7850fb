import t from 'tap'
import type { Machine, MachinesAndJob } from '../../../broker/api/machines.js'
import { parseDomain, parseDomainXml } from '../../../broker/hypervisors/domain-reading.js'
import type { Hypervisor } from '../../../broker/api/hypervisors.js'
import { until } from '../../support/until.js'
import { BerthOnFleet } from '../../support/berth-on-fleet.js'
import { CORPUS, differences } from '../hypervisors/domain-corpus.js'

t.setTimeout(900_000)
const berth = await BerthOnFleet.start({ hosts: 1, name: 'domains' })
t.teardown(async () => {
  await berth.stop()
})
const host = berth.host(1)

const dump = async (name: string): Promise<string> =>
  await host.mustRun(['virsh', 'dumpxml', '--inactive', '--security-info', name])

async function define(xml: string): Promise<string> {
  await host.mustRun(['tee', '/tmp/domain.xml'], { input: xml })
  await host.mustRun(['virsh', 'define', '/tmp/domain.xml'])
  return parseDomainXml(xml).name
}

/** Berth's own mark, which comes some time after the adoption. */
const MARK = /^. \/domain\/metadata\[1\](\/berth:berth|$)/

const CHANGES: ReadonlyArray<readonly [Record<string, unknown>, RegExp]> = [
  [{ memoryMib: 512 }, /\/(memory|currentMemory)\[1\]/],
  [{ vcpus: 12 }, /\/(vcpu\[1\]|topology\[1\])/],
  [{ network: 'network:inside' }, /interface\[1\](@type|\/(source|virtualport|vlan|target)\[1\])/],
]

for (const [name, xml] of CORPUS)
  t.test(`${name}: libvirt accepts each change, and nothing else is different`, async (t) => {
    const domain = await define(xml.replace(/<tpm.*<\/tpm>/s, '')) // these hosts have no swtpm
    await define(await dump(domain)) // what libvirt adds and sorts by itself it has then done
    const { notes } = await berth.api.post<MachinesAndJob>('/machines/adopt', {
      hypervisor: 'hv1',
      name: domain,
    })
    t.comment(notes?.join('\n') ?? '')
    const untouched = await dump(domain)
    for (const [change, touched] of CHANGES) {
      const before = await dump(domain)
      const { job } = await berth.api.patch<MachinesAndJob>(`/machines/${domain}`, change)
      t.match(await berth.api.ended(job ?? ''), { state: 'succeeded' }, JSON.stringify(change))
      const found = differences(parseDomain(before), parseDomain(await dump(domain)))
      t.ok(found.length > 0, 'it is changed')
      t.same(
        found.filter((line) => !touched.test(line) && !MARK.test(line)),
        [],
      )
    }
    await t.rejects(berth.api.patch(`/machines/${domain}`, { type: 'vdi' }))
    const last = differences(parseDomain(untouched), parseDomain(await dump(domain)))
    t.same(
      last.filter(
        (line) => ![MARK, ...CHANGES.map(([, touched]) => touched)].some((one) => one.test(line)),
      ),
      [],
    )
    const { job } = await berth.api.delete<{ job: string }>(`/machines/${domain}`)
    t.match(await berth.api.ended(job), { state: 'succeeded' })
    t.match(await dump(domain), `<name>${domain}</name>`, 'forgotten, and still there')
    await host.mustRun(['virsh', 'undefine', '--keep-nvram', domain])
  })

t.test('one XML makes several machines that libvirt takes, and they start', async (t) => {
  const template = (CORPUS.get('golden') ?? '')
    .replace(/<loader.*<\/nvram>/s, '')
    .replace(/<interface.*<\/interface>/s, '')
    .replace(/<tpm.*<\/tpm>/s, '')
    .replace(/<vsock.*<\/vsock>/s, '')
    .replace(/<disk type='file' device='cdrom'>.*?<\/disk>/s, '')
    .replace("<memory unit='MiB'>3072", "<memory unit='MiB'>128")
  const { job } = await berth.api.post<MachinesAndJob>('/machines', {
    name: 'own-{n}',
    count: 2,
    type: 'simple',
    diskGib: 0.1,
    hypervisors: ['hv1'],
    domainXml: template,
  })
  t.match(await berth.api.ended(job ?? ''), { state: 'succeeded' })
  for (const name of ['own-1', 'own-2']) {
    await berth.power(name, 'start')
    t.match(await berth.api.get<Machine>(`/machines/${name}`), { power: 'running', memoryMib: 128 })
    t.notMatch(await dump(name), 'golden')
  }
  for (const name of ['own-1', 'own-2']) await berth.power(name, 'poweroff')
})

/** The addresses on which QEMU listens. */
async function listening(): Promise<string[]> {
  const lines = (await host.mustRun(['ss', '-tlnpH']))
    .split('\n')
    .filter((line) => line.includes('qemu'))
  return lines.map((line) =>
    (/(\S+):59\d\d\s/.exec(line)?.[1] ?? '').replace(/^\*$|^\[::\]$/, '::'),
  )
}

t.test('displays listen where the host can, whatever viewers are told', async (t) => {
  await berth.makeSource('pc', 'one')
  const cases: ReadonlyArray<readonly [Record<string, string>, string]> = [
    [{ displayAddress: '203.0.113.7' }, '0.0.0.0'],
    [{ displayAddress: host.address }, host.address],
    [{ displayAddress: '2001:db8::5' }, '::'],
    [{ displayAddress: '203.0.113.7', listenAddress: '127.0.0.1' }, '127.0.0.1'],
    [{ listenAddress: 'auto' }, '0.0.0.0'],
  ]
  for (const [patch, expected] of cases) {
    await berth.api.patch('/hypervisors/hv1', patch)
    await berth.untilHypervisor('hv1', 'up')
    await until(
      async () => (await berth.api.get<Hypervisor>('/hypervisors/hv1')).listenAddress === expected,
      { withinMs: 20_000, what: `displays are to listen on ${expected}` },
    )
    await berth.power('pc', 'start')
    t.same(await listening(), [expected], JSON.stringify(patch))
    await berth.power('pc', 'poweroff')
  }
})

t.test('a connection that comes up again renews no certificate', async (t) => {
  const certificate = async (): Promise<string> =>
    await host.mustRun(['sha256sum', '/etc/pki/libvirt-spice/server-cert.pem'])
  // Where displays listen is found after the certificate was looked at, so that has then happened.
  const untilPrepared = async (address: string): Promise<void> => {
    await until(
      async () => (await berth.api.get<Hypervisor>('/hypervisors/hv1')).listenAddress === address,
      { withinMs: 20_000, what: `displays are to listen on ${address}` },
    )
  }
  // Until the host is looked at, "auto" is the family of the display address; an address of its own
  // is only found there.
  const ADDRESS = '2001:db8::5'
  await host.mustRun(['ip', 'address', 'add', `${ADDRESS}/128`, 'dev', 'lo'])
  await berth.api.patch('/hypervisors/hv1', { displayAddress: ADDRESS })
  await untilPrepared(ADDRESS)
  const before = await certificate()
  for (const [verb, address] of [
    ['del', '::'],
    ['add', ADDRESS],
    ['del', '::'],
  ] as const) {
    await host.mustRun(['ip', 'address', verb, `${ADDRESS}/128`, 'dev', 'lo'])
    await host.restart('sshd')
    await untilPrepared(address)
    t.equal(await certificate(), before)
  }
})
