import type { Static } from '@sinclair/typebox'
import type { RebuildResult } from '../api/assignments.js'
import { parseDomainXml, readMetadata } from '../hypervisors/domain-xml.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Observer } from '../machines/observer.js'
import type { Store } from '../store/open.js'
import { type MachineRecord, readRecord } from './records.js'

export interface RebuildDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly now: () => number
}

export interface Found {
  readonly hypervisor: string
  readonly xml: string
  readonly domain: ReturnType<typeof parseDomainXml>
  readonly record: MachineRecord
}
export type Result = Static<typeof RebuildResult>

/** What the domains of a host carry; what cannot be read is a warning. */
export async function readHost(
  { hypervisors }: RebuildDeps,
  hypervisor: string,
  result: Result,
): Promise<Found[]> {
  const link = hypervisors.link(hypervisor)
  if (link.status().state !== 'up') {
    result.warnings.push(`${hypervisor} does not answer: what is on it was not looked at.`)
    return []
  }
  const found: Found[] = []
  for (const { name } of await link.listDomains()) {
    const xml = await link.domainXml(name)
    const metadata = readMetadata(xml)
    const record = readRecord(metadata?.record)
    if (record) found.push({ hypervisor, xml, domain: parseDomainXml(xml), record })
    else if (metadata)
      result.warnings.push(
        `${name} on ${hypervisor} is Berth's, but carries no record that this version reads: ` +
          'adopt it with "berth machine adopt".',
      )
  }
  return found
}
