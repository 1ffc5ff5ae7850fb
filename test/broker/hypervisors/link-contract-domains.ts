import type { Test } from 'tap'
import { until } from '../../support/until.js'
import {
  define,
  DOMAIN,
  IT,
  type LinkUnderTest,
  overlay,
  prepareDomain,
  UUID,
} from './link-under-test.js'

const OTHER_UUID = 'c0ffee00-0000-4000-8000-000000000002'

export async function domains(t: Test, { link, events, virtType }: LinkUnderTest): Promise<void> {
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
export async function foreignDomains(t: Test, { link, virtType }: LinkUnderTest): Promise<void> {
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
  // That one is gone, no matter which domain has the name now.
  await link.request('domain_undefine', { name: DOMAIN, uuid: OTHER_UUID })
  await t.rejects(link.request('domain_undefine', { name: 'contract-else', uuid: UUID }), {
    code: 'foreign',
  })
  t.equal(await link.domainXml(DOMAIN), before, 'it is what it was, and runs')
  t.match(await link.request('in_the_way', { items: [IT] }), { items: [{ ok: true }] })
}

export async function tickets(t: Test, { link, virtType }: LinkUnderTest): Promise<void> {
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
