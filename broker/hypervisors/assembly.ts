import type { Logger } from 'pino'
import type { Authority } from '../certificates/authority.js'
import type { Config } from '../config.js'
import type { Events } from '../events/bus.js'
import type { Changes } from '../live/changes.js'
import type { Occupancy } from '../occupancy/occupancy.js'
import type { Store } from '../store/open.js'
import { LibvirtProcesses } from './libvirt-processes.js'
import { SshLink } from './link.js'
import type { OwnKey } from './own-key.js'
import { prepareHost } from './prepare.js'
import type { OpenLink } from './hypervisor.js'
import { Hypervisors } from './service.js'
import { removeOrphanedSockets } from './socket-forward.js'

export interface HypervisorPartsDeps {
  readonly store: Store
  readonly events: Events
  readonly config: Config
  readonly log: Logger
  readonly authority: Authority
  readonly key: OwnKey
  readonly occupancy: Occupancy
  readonly changes: Changes
  /** Opens lines to hosts that are not real and need no preparation. */
  readonly openLink?: OpenLink | undefined
}

export interface HypervisorParts {
  readonly hypervisors: Hypervisors
  readonly processes: LibvirtProcesses
}

/** Lines to the hosts. None is open yet. */
export async function assembleHypervisors(deps: HypervisorPartsDeps): Promise<HypervisorParts> {
  const { config, log, key, changes, events } = deps
  await removeOrphanedSockets()
  const processes = new LibvirtProcesses(config.libvirtProcesses)
  const toRealHost: OpenLink = (name, settings, events) =>
    new SshLink(name, { settings, events, privateKey: key.privateKey, processes, log })
  const hypervisors = new Hypervisors({
    ...deps,
    openLink: deps.openLink ?? toRealHost,
    prepare: async (link, row, findings) => {
      if (!deps.openLink) await prepareHost(deps, link, row, findings)
    },
  })
  events.subscribe('hypervisorChanged', () => {
    for (const topic of ['hypervisors', 'machines'] as const) changes.note(topic)
  })
  return { hypervisors, processes }
}
