/**
 * The process that carries libvirt's native, blocking calls for some hypervisors, so that a stuck
 * libvirtd never stops the broker. It is told over IPC what to do: { id, uri, method, args } -> {
 * id, result } or { id, error }. A broken connection is dropped and reopened by the next call.
 */
import { DomainGetXMLDescFlags, Hypervisor } from 'libvirt'
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
  /**
   * foreign: it is about a domain that is not the one meant; lost: libvirt cannot be reached any
   * more, so that nobody knows what was done.
   */
  readonly fault?: 'foreign' | 'lost' | 'refused'
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
/**
 * Given by --expose-gc: what libvirt holds for a domain, and with it the connection, is freed when
 * its object is collected.
 */
const { gc } = globalThis as { gc?: () => void }

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

/** Another domain has the name or the UUID of the one that is meant. */
class ForeignDomain extends Error {}

type Domain = Awaited<ReturnType<Hypervisor['domainLookupByUUIDString']>>

/**
 * The binding hands on libvirt's sentences and not its codes, and sentences change with version and
 * language. So nothing is read from them: why a call failed is looked up. Null for a domain that
 * the list does not have; throws what the lookup threw for one that it has.
 */
async function orNull(
  hypervisor: Hypervisor,
  looked: Promise<Domain>,
  isMeant: (domain: Domain) => Promise<boolean>,
): Promise<Domain | null> {
  try {
    return await looked
  } catch (error) {
    for (const domain of await hypervisor.connectListAllDomains())
      if (await isMeant(domain).catch(() => false)) throw error
    return null
  }
}

/**
 * The domain with this UUID, or null. Throws ForeignDomain when it has another name, or when the
 * name is another one's.
 */
async function find(hypervisor: Hypervisor, name: string, uuid: string): Promise<Domain | null> {
  const domain = await orNull(
    hypervisor,
    hypervisor.domainLookupByUUIDString(uuid),
    async (one) => (await one.getUUIDString()) === uuid,
  )
  if (domain === null) {
    const other = await orNull(
      hypervisor,
      hypervisor.domainLookupByName(name),
      async (one) => (await one.getName()) === name,
    )
    if (other === null) return null
    throw new ForeignDomain(
      `the domain ${name} of this host is another one (UUID ${await other.getUUIDString()}, ` +
        `not ${uuid}); it was left alone`,
    )
  }
  const found = await domain.getName()
  if (found === name) return domain
  throw new ForeignDomain(
    `the domain with the UUID ${uuid} is called ${found} on this host and not ${name}; ` +
      'rename it back with "virsh domrename"',
  )
}

async function domainOf(hypervisor: Hypervisor, name: string, uuid: string) {
  const domain = await find(hypervisor, name, uuid)
  if (domain === null) throw new Error(`there is no domain ${name} (UUID ${uuid})`)
  return domain
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
        if (!(await answers(hypervisor))) throw error // else it was undefined while we were listing
      }
    }
    return states
  },
  async define(hypervisor: Hypervisor, name = '', uuid = '', xml = ''): Promise<void> {
    try {
      await hypervisor.domainDefineXML(xml) // libvirt itself refuses a name or UUID of another domain
    } catch (error) {
      await find(hypervisor, name, uuid)
      throw error
    }
  },
  async start(hypervisor: Hypervisor, name = '', uuid = ''): Promise<void> {
    await (await domainOf(hypervisor, name, uuid)).create()
  },
  async shutdown(hypervisor: Hypervisor, name = '', uuid = ''): Promise<void> {
    await (await domainOf(hypervisor, name, uuid)).shutdown()
  },
  async destroy(hypervisor: Hypervisor, name = '', uuid = ''): Promise<void> {
    await (await domainOf(hypervisor, name, uuid)).destroy()
  },
  async resume(hypervisor: Hypervisor, name = '', uuid = ''): Promise<void> {
    await (await domainOf(hypervisor, name, uuid)).resume()
  },
  async xml(hypervisor: Hypervisor, name = ''): Promise<string> {
    return await (
      await hypervisor.domainLookupByName(name)
    ).getXMLDesc(DomainGetXMLDescFlags.INACTIVE)
  },
  /** With its secrets: what is defined again without them has lost them. */
  async definition(hypervisor: Hypervisor, name = '', uuid = ''): Promise<string | null> {
    const domain = await find(hypervisor, name, uuid)
    return domain === null
      ? null
      : await domain.getXMLDesc(DomainGetXMLDescFlags.INACTIVE | DomainGetXMLDescFlags.SECURE)
  },
  async close(): Promise<void> {}, // `answer` does it
}

/** Gives a connection up; the next call opens another one. */
async function drop(uri: string): Promise<void> {
  const opening = connections.get(uri)
  connections.delete(uri)
  const hypervisor = await opening?.catch(() => null) // one that was never open
  await hypervisor?.connectClose().catch(() => {}) // it is gone in any case
  gc?.()
}

process.on('message', (call: LibvirtCall) => {
  answer(call).then(
    (reply) => process.send?.(reply),
    // `answer` turns every failure into a reply; whatever else happens here, the broker starts another process.
    () => process.exit(1),
  )
})
process.on('disconnect', () => {
  process.exit(0)
})

/** Whether libvirt can still be reached: what fails after that is its refusal. */
async function answers(hypervisor: Hypervisor): Promise<boolean> {
  return await hypervisor.connectGetHostname().then(
    () => true,
    () => false,
  )
}

async function answer({ id, uri, method, args }: LibvirtCall): Promise<LibvirtAnswer> {
  if (method === 'close') {
    await drop(uri)
    return { id }
  }
  let hypervisor: Hypervisor | undefined
  try {
    hypervisor = await connect(uri)
    return { id, result: await METHODS[method](hypervisor, ...args) }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (error instanceof ForeignDomain) return { id, error: text, fault: 'foreign' }
    if (hypervisor && (await answers(hypervisor))) return { id, error: text, fault: 'refused' }
    await drop(uri)
    return { id, error: text, fault: 'lost' }
  }
}
