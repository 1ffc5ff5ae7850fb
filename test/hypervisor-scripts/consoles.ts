import { type Test } from 'tap'
import { type FleetHost } from '../fleet/fleet-host.js'
import { until } from '../support/until.js'
import { type HelperLine, type Json } from './helper-line.js'
import { defineDomain, openHelper, uuidOf } from './prepared-host.js'
import { makeCertificate } from './viewer.js'
import { name, oldTickets, opener, password, ticket, tickets } from './tickets.js'

const xml = (
  domain: string,
) => `<domain type='qemu'><name>${domain}</name><uuid>${uuidOf(domain)}</uuid>
  <memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
  <graphics type='spice' autoport='yes' defaultMode='secure' passwd='dummy'
    passwdValidTo='1970-01-01T00:00:01'><listen type='address' address='0.0.0.0'/></graphics>
  <graphics type='vnc'><listen type='socket' socket='/var/lib/libvirt/qemu/${domain}.vnc'/></graphics>
  <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  <video><model type='qxl'/></video></devices></domain>`

/** Domains, events and console tickets, with real viewers. */
export async function consoleTests(t: Test, host: FleetHost): Promise<void> {
  const line = await openHelper(host)
  t.teardown(() => line.end())
  await t.test('gives the host a certificate', (t) => certificate(t, host, line))
  await t.test('relays events', (t) => events(t, host, line))
  await t.test('does domain operations', (t) => domains(t, host, line))
  await t.test('sets tickets that work once', (t) => tickets(t, host, line))
  await t.test('refuses old tickets', (t) => oldTickets(t, host, line))
  await t.test('works in another time zone', (t) => timeZone(t, host))
  await t.test('is quick, and survives a restart of libvirtd', (t) => quickAndSturdy(t, host, line))
}

async function certificate(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  t.same(await line.must('spice_certificate'), { certificate: null, ca: null })
  const ask = () =>
    line.must('spice_certificate_request', { common_name: host.address }) as Promise<{
      csr: string
    }>
  const { csr } = await ask()
  const { certificate, ca } = await makeCertificate(csr)
  const other = await makeCertificate(csr)
  t.equal(
    await line.refusal('spice_certificate_install', { certificate, ca: other.ca }),
    'bad_request',
    'another CA',
  )
  t.equal(await line.refusal('spice_certificate_install', { certificate: 'x', ca }), 'bad_request')
  t.equal(await line.refusal('spice_certificate_request', { common_name: '/CN=x' }), 'bad_name')
  t.same(await line.must('spice_certificate_install', { certificate, ca }), { changed: true })
  t.same(await line.must('spice_certificate_install', { certificate, ca }), { changed: false })
  t.same(await line.must('spice_certificate'), { certificate, ca })
  t.equal(
    await host.mustRun(['stat', '-c', '%a %U:%G', '/etc/pki/libvirt-spice/server-key.pem']),
    '640 root:libvirt-qemu\n',
  )
  const key = '/etc/pki/libvirt-spice/server-key.pem'
  const good = await host.mustRun(['cat', key])
  await host.mustRun(['truncate', '-s', '60', key])
  t.match(await line.must('host_look', { look: 'certificate_key' }), {
    present: true,
    matches: false,
  })
  await makeCertificate((await ask()).csr)
  t.not(await host.mustRun(['cat', key]), good, 'a key that cannot be used is replaced')
  t.equal(await host.mustRun(['stat', '-c', '%s', `${key}.unusable`]), '60\n', 'and kept aside')
  const again = await makeCertificate((await ask()).csr)
  await line.must('spice_certificate_install', again)
  t.match(await line.must('host_look', { look: 'certificate_key' }), {
    present: true,
    matches: true,
  })
}

const eventOf = (line: HelperLine, kind: string, detail: RegExp) =>
  until(
    () =>
      line.messages.find(
        (one) =>
          one['event'] === 'domain' &&
          one['name'] === name &&
          one['kind'] === kind &&
          detail.test(String(one['detail'])),
      ),
    {
      withinMs: 5000,
      what: `the event ${kind} ${detail}`,
    },
  )

async function events(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  await until(() => line.messages.find((one) => one['event'] === 'events' && one['up'] === true), {
    withinMs: 5000,
    what: 'the relay is up',
  })
  await defineDomain(host, xml(name))
  await host.mustRun(['virsh', 'start', name])
  await eventOf(line, 'lifecycle', /^Started Booted$/)
  t.same(await line.must('domain_reset', { name, uuid: uuidOf(name) }), {})
  await eventOf(line, 'reboot', /^$/)
  t.match(await line.must('displays', { domains: null }), { items: [{ name, spice: [], vnc: [] }] })
  t.match(await line.must('displays', { domains: ['none'] }), { items: [] })
}

async function domains(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  await metadataIsKept(t, host, line)
  t.equal(await line.refusal('domain_undefine', { name, uuid: uuidOf(name) }), 'in_use')
  t.equal(await line.refusal('domain_reboot', { name: 'none', uuid: uuidOf('none') }), 'not_found')
  t.same(await line.must('domain_reboot', { name, uuid: uuidOf(name) }), {})
  const agent = (domain: string) =>
    line.refusal('guest_agent', {
      domain,
      uuid: uuidOf(domain),
      command: 'guest-ping',
      timeout_seconds: 1,
    })
  t.equal(await agent(name), 'guest_agent', 'this guest has no agent')
  t.equal(await agent('none'), 'not_found')
  t.same(await line.must('guest_addresses', { domain: name }), { items: [] }, 'it has no network')
  t.equal(await line.refusal('guest_addresses', { domain: 'none' }), 'not_found')
  t.equal(await line.refusal('guest_addresses', { domain: 'a b' }), 'bad_name')
  // The id of a running domain may be the name of another one.
  const id = (await host.mustRun(['virsh', 'domid', name])).trim()
  await defineDomain(host, xml(id))
  t.equal(
    await line.refusal('domain_reset', { name: id, uuid: uuidOf(id) }),
    'not_found',
    'the domain with that name is off',
  )
  t.same(await line.must('domain_undefine', { name: id, uuid: uuidOf(id) }), {})
  t.same(
    await line.must('domain_undefine', { name: id, uuid: uuidOf(id) }),
    {},
    'an unknown domain is fine',
  )
}

async function metadataIsKept(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const metadata = async (...words: string[]) =>
    (
      await host.run(['virsh', 'metadata', name, 'https://berth.invalid/xmlns/1', ...words])
    ).stdout.trim()
  t.same(
    await line.must('domain_metadata', {
      name,
      uuid: uuidOf(name),
      xml: '<assignment user="o\'neil &amp; &quot;co&quot;"/>',
    }),
    {},
  )
  t.match(await metadata(), /<assignment user=.o'neil &amp; .*co/)
  t.match(await metadata('--config'), /<assignment/)
  t.equal(
    await line.refusal('domain_metadata', { name, uuid: uuidOf(name), xml: '<a><b></a>' }),
    'bad_request',
  )
  t.equal(
    await line.refusal('domain_metadata', { name, uuid: uuidOf(name), xml: '<!DOCTYPE a><a/>' }),
    'bad_request',
  )
  t.same(await line.must('domain_metadata', { name, uuid: uuidOf(name), xml: null }), {})
  t.same(
    await line.must('domain_metadata', { name, uuid: uuidOf(name), xml: null }),
    {},
    'removing nothing is fine',
  )
  t.equal(
    await line.refusal('domain_metadata', { name: 'none', uuid: uuidOf('none'), xml: '<a/>' }),
    'not_found',
  )
}

/** QEMU's expiry is in UTC: a host in another time zone must give the same. */
async function timeZone(t: Test, host: FleetHost): Promise<void> {
  await host.mustRun(['ln', '-sfn', '/usr/share/zoneinfo/Pacific/Kiritimati', '/etc/localtime'])
  await host.restart('libvirtd')
  const line = await openHelper(host)
  const { tls_port, valid_until_ms } = await ticket(line, 'z', 5)
  t.ok(Math.abs(valid_until_ms - Date.now() - 4000) < 2000)
  const open = await opener(host, line, tls_port)
  const channel = await open('z', 'main')
  t.ok(channel, 'the ticket is taken at once')
  channel?.close()
  // The helper that set a ticket burns it even when its broker is gone.
  const started = performance.now()
  t.equal(await line.end(), 0)
  t.ok(performance.now() - started < 7000)
  t.equal(await open('z', 'main'), undefined, 'and later refused')
  await host.mustRun(['ln', '-sfn', '/usr/share/zoneinfo/Etc/UTC', '/etc/localtime'])
}

async function quickAndSturdy(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const times: number[] = []
  for (let count = 0; count < 20; count++) {
    const start = performance.now()
    await ticket(line, 'e', 5)
    times.push(performance.now() - start)
  }
  t.comment(
    `ticket, sorted: ${times
      .sort((a, b) => a - b)
      .map((ms) => ms.toFixed(1))
      .join(' ')} ms`,
  )
  await host.restart('libvirtd')
  await ticket(line, 'f', 5)
  const down = (one: Json) => one['event'] === 'events' && one['up'] === false
  await until(() => line.messages.find(down), {
    withinMs: 5000,
    what: 'the relay says that it is down',
  })
  await until(() => line.messages.findLast((one) => one['event'] === 'events')?.['up'], {
    withinMs: 10_000,
    what: 'the relay is up again',
  })
  await host.mustRun(['virsh', 'destroy', name])
  await eventOf(line, 'lifecycle', /^Stopped Destroyed$/)
  t.equal(
    await line.refusal('ticket', {
      domain: name,
      uuid: uuidOf(name),
      password: password('a'),
      ttl_seconds: 5,
      connected: 'keep',
    }),
    'not_found',
  )
  t.same(await line.must('domain_undefine', { name, uuid: uuidOf(name) }), {})
}
