import { refusal } from '../errors/broker-error.js'
import { at, attribute, elementsOf, ensure, textIn, type XmlElement } from '../xml/tree.js'
import { mebibytesOf, nameIn } from './domain-reading.js'

export function setMemory(domain: XmlElement, mib: number): void {
  const memory = ensure(domain, 'memory')
  const before = mebibytesOf(memory)
  if (before === mib) return
  refuseMemory(domain, mib)
  const current = at(domain, 'currentMemory')
  const follows = current !== undefined && mebibytesOf(current) === before
  for (const one of [
    memory,
    ...(current && (follows || mebibytesOf(current) > mib) ? [current] : []),
  ]) {
    one.attributes['unit'] = 'MiB'
    one.children = [String(mib)]
  }
}

/** Throws when so much memory does not fit to the rest of the domain. */
function refuseMemory(domain: XmlElement, mib: number): void {
  if (at(domain, 'cpu', 'numa')) throw refusal('domain_numa_memory', { domain: nameIn(domain) })
  if (elementsOf(at(domain, 'devices'), 'memory').length > 0)
    throw refusal('domain_memory_modules', { domain: nameIn(domain) })
  const most = at(domain, 'maxMemory')
  if (most && mebibytesOf(most) < mib)
    throw refusal('domain_max_memory', { domain: nameIn(domain), mebibytes: mebibytesOf(most) })
  const limit = at(domain, 'memtune', 'hard_limit')
  if (limit && mebibytesOf(limit) < mib)
    throw refusal('domain_hard_limit', { domain: nameIn(domain), mebibytes: mebibytesOf(limit) })
}

const TOPOLOGY = ['sockets', 'dies', 'clusters', 'cores', 'threads'] as const

export function setVcpus(domain: XmlElement, count: number): void {
  const vcpu = ensure(domain, 'vcpu')
  if (Number(textIn(vcpu) || 1) === count) return
  if (at(domain, 'vcpus')) throw refusal('domain_lists_vcpus', { domain: nameIn(domain) })
  if (at(domain, 'cpu', 'numa')) throw refusal('domain_numa_vcpus', { domain: nameIn(domain) })
  const pinned = elementsOf(at(domain, 'cputune')).some((one) =>
    numbersOf(attribute(one, one.name === 'vcpupin' ? 'vcpu' : 'vcpus')).some((id) => id >= count),
  )
  if (pinned) throw refusal('domain_cputune', { domain: nameIn(domain) })
  setTopology(domain, count)
  vcpu.children = [String(count)]
  if (Number(attribute(vcpu, 'current')) > count) delete vcpu.attributes['current']
}

/** "0-3,5" and the like, as far as it is needed: the ends of its ranges. */
function numbersOf(set: string): number[] {
  return (set.match(/\d+/g) ?? []).map(Number)
}

/** The count must be the product of the topology: cores follow it, and where they cannot the sockets do. */
function setTopology(domain: XmlElement, count: number): void {
  const topology = at(domain, 'cpu', 'topology')
  if (!topology) return
  const of = (part: string): number => Number(attribute(topology, part) || 1)
  if (TOPOLOGY.reduce((product, part) => product * of(part), 1) === count) return
  const follows = (part: 'cores' | 'sockets'): boolean => {
    const rest = TOPOLOGY.filter((one) => one !== part).reduce(
      (product, one) => product * of(one),
      1,
    )
    if (count % rest !== 0) return false
    topology.attributes[part] = String(count / rest)
    return true
  }
  if (follows('cores') || follows('sockets')) return
  const { threads, cores, sockets } = {
    threads: of('threads'),
    cores: of('cores'),
    sockets: of('sockets'),
  }
  if (count % threads !== 0 || of('dies') * of('clusters') !== 1)
    throw refusal('domain_topology', { domain: nameIn(domain), sockets, cores, threads, count })
  topology.attributes['sockets'] = '1'
  topology.attributes['cores'] = String(count / threads)
}
