import { type BrokerError, refusal } from '../errors/broker-error.js'
import type { BatchItem } from '../hypervisors/helper-channel.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'

/** Something that is to be made on a host: a domain (with `uuid`), a file (with `file`), or both. */
export interface Wanted {
  /** The name of the machine. */
  readonly name: string
  readonly uuid?: string
  readonly dir?: 'images' | 'overlays'
  readonly file?: string
  /** The machine or generation for which the file is made: one of its own is not in the way. */
  readonly owner?: string
}

/** Says per name what stands in the way of it on this host that Berth did not make. Changes nothing. */
export async function whatIsInTheWay(
  link: HypervisorLink,
  wanted: readonly Wanted[],
): Promise<Map<string, BrokerError>> {
  const { items } = await link.request<{ items: BatchItem[] }>('in_the_way', { items: wanted })
  return new Map(
    items.flatMap(({ name, ok, error }) =>
      ok ? [] : [[name, inTheWay(link.name, error?.message)] as const],
    ),
  )
}

function inTheWay(hypervisor: string, said = 'something is in the way'): BrokerError {
  return refusal('host_has_foreign', { hypervisor, said })
}

/** Throws `foreign`, naming what is in the way. */
export async function refuseWhatIsInTheWay(
  link: HypervisorLink,
  wanted: readonly Wanted[],
): Promise<void> {
  const [first] = (await whatIsInTheWay(link, wanted)).values()
  if (first !== undefined) throw first
}
