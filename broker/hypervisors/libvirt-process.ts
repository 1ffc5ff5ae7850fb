/**
 * The process that carries libvirt's native, blocking calls for some hypervisors, so that a stuck libvirtd never stops the broker.
 * It is told over IPC what to do: { id, uri, method, args } -> { id, result } or { id, error }. A broken connection is dropped and opened anew by the next call.
 */
import { Hypervisor } from 'libvirt'
import type { PowerState } from '../api/machines.js'
import type { DomainState } from './hypervisor.js'

export interface LibvirtCall {
  readonly id: number
  readonly uri: string
  readonly method: keyof typeof METHODS
  readonly args: readonly string[]
}
export interface LibvirtAnswer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

/** virDomainState, https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainState; 2 (blocked) runs too. */
const POWER: readonly PowerState[] = [
  'unknown',
  'running',
  'running',
  'paused',
  'shutting-down',
  'off',
  'crashed',
  'suspended',
]

const connections = new Map<string, Promise<Hypervisor>>()

async function connect(uri: string): Promise<Hypervisor> {
  const open = async (): Promise<Hypervisor> => {
    const hypervisor = new Hypervisor({ uri })
    await hypervisor.connectOpen()
    return hypervisor
  }
  const known = connections.get(uri) ?? open()
  connections.set(uri, known)
  return await known
}

const METHODS = {
  async list(hypervisor: Hypervisor): Promise<DomainState[]> {
    const domains = await hypervisor.connectListAllDomains()
    const states: DomainState[] = []
    for (const domain of domains) {
      try {
        const [name, uuid, info] = [
          await domain.getName(),
          await domain.getUUIDString(),
          await domain.getInfo(),
        ]
        states.push({ name, uuid, power: POWER[info.state] ?? 'unknown' })
      } catch (error) {
        if (!String(error).includes('not found')) throw error // it was undefined while we were listing
      }
    }
    return states
  },
  async define(hypervisor: Hypervisor, xml = ''): Promise<void> {
    await hypervisor.domainDefineXML(xml)
  },
  async start(hypervisor: Hypervisor, name = ''): Promise<void> {
    await (await hypervisor.domainLookupByName(name)).create()
  },
  async shutdown(hypervisor: Hypervisor, name = ''): Promise<void> {
    await (await hypervisor.domainLookupByName(name)).shutdown()
  },
  async destroy(hypervisor: Hypervisor, name = ''): Promise<void> {
    await (await hypervisor.domainLookupByName(name)).destroy()
  },
  async resume(hypervisor: Hypervisor, name = ''): Promise<void> {
    await (await hypervisor.domainLookupByName(name)).resume()
  },
  async xml(hypervisor: Hypervisor, name = ''): Promise<string> {
    return await (await hypervisor.domainLookupByName(name)).getXMLDesc()
  },
  async close(hypervisor: Hypervisor): Promise<void> {
    await hypervisor.connectClose()
  },
}

process.on('message', (call: LibvirtCall) => {
  void answer(call).then((reply) => process.send?.(reply))
})
process.on('disconnect', () => {
  process.exit(0)
})

async function answer({ id, uri, method, args }: LibvirtCall): Promise<LibvirtAnswer> {
  try {
    if (method === 'close' && !connections.has(uri)) return { id }
    const result = await METHODS[method](await connect(uri), ...args)
    if (method === 'close') connections.delete(uri)
    return { id, result }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (/connection|broken pipe|end of file|client socket|reset by peer|keepalive/i.test(text))
      connections.delete(uri)
    return { id, error: text }
  }
}
