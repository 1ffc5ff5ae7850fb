import { type BrokerError, refusal } from '../errors/broker-error.js'
import { METADATA_URI } from './domain-xml.js'
import { errorOf } from './helper-channel.js'
import type { SimulatedDomain, SimulatedHost } from './simulated.js'

/** As the helper refuses. */
export function helperRefusal(code: string, message: string): BrokerError {
  return errorOf('simulated', { code, message })
}

/** As libvirt refuses. */
export function noDomain(name: string): BrokerError {
  return refusal('simulated_refusal', {
    said: `Domain not found: no domain with matching name '${name}'`,
  })
}

/** The domain that is meant, or undefined when it is not there; refuses when name and UUID are not of one domain. */
export function identified(
  host: SimulatedHost,
  name: unknown,
  uuid: unknown,
): SimulatedDomain | undefined {
  const [found] = [...host.domains].filter(([, domain]) => domain.uuid === uuid)
  if (found && found[0] !== name)
    throw helperRefusal('foreign', `the domain with the UUID ${String(uuid)} is called ${found[0]}`)
  const named = host.domains.get(String(name))
  if (named && named.uuid !== uuid)
    throw helperRefusal('foreign', `the domain ${String(name)} is another one (UUID ${named.uuid})`)
  return named
}

export function powerOf(host: SimulatedHost, name: string): 'running' | 'paused' {
  return host.paused.has(name) ? 'paused' : 'running'
}

/** As libvirt puts an element into the metadata of a domain: with the prefix and the name space it was given. */
export function withMetadata(xml: string, element: string): string {
  const prefixed = element.replace('<berth', `<berth:berth xmlns:berth="${METADATA_URI}"`)
  return xml.replace(/<berth:berth[^>]*\/>/, () => prefixed)
}

export function restart(domain: SimulatedDomain | undefined, name: string): void {
  if (!domain?.running) throw helperRefusal('not_found', `${name} is not running`)
  if (domain.destroyOnReboot) domain.running = false
}
