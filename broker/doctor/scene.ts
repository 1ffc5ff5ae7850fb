import type { Directories } from '../api/hypervisors.js'
import type { Visit } from '../hypervisors/contact.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'
import type { Store } from '../store/open.js'
import type { HypervisorRow } from '../store/tables.js'

const LOOK_TIMEOUT_MS = 20_000

/** What a look may use. `visit` is a login of the check's own; `link` is the broker's line, which may be down. */
export interface Scene {
  readonly store: Store
  readonly row: HypervisorRow
  readonly visit: Visit
  readonly link: HypervisorLink
  /** PEM of this broker's own CA. */
  readonly ca: string
  readonly ownHelperVersion: string | null
}
/** One of the helper's looks; nothing is changed by it. */
export async function ask<T>({ visit, row }: Scene, look: string): Promise<T> {
  const directories: Directories = {
    images: row.images_dir,
    overlays: row.overlays_dir,
    transient: row.transient_dir,
  }
  return await visit.request<T>(
    'host_look',
    { look, ...(look === 'directories' || look === 'files' ? { directories } : {}) },
    { timeoutMs: LOOK_TIMEOUT_MS },
  )
}
