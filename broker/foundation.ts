import type { Logger } from 'pino'
import { Authority } from './certificates/authority.js'
import { type Config, dataFile } from './config.js'
import { type OwnKey, ownKey } from './hypervisors/own-key.js'
import { Changes } from './live/changes.js'
import { lockDataDirectory } from './store/data-directory.js'
import { openStore, type Store } from './store/open.js'
import { durabilityFault } from './store/postgresql.js'

/** The embedded database, in the data directory. */
export const SQLITE_FILE = 'berth.sqlite'

/**
 * What lies in the data directory: the database, whose writes are told to `changes`, and what the
 * broker proves itself with.
 */
export interface Foundation {
  readonly store: Store
  readonly changes: Changes
  readonly authority: Authority
  readonly key: OwnKey
  close(): Promise<void>
}

/** Throws when the data directory is in use or damaged. */
export async function openFoundation(
  config: Config,
  log: Logger,
  onDatabaseLost: () => void = () => {},
): Promise<Foundation> {
  const unlock = lockDataDirectory(config.dataDir)
  const changes = new Changes()
  const store = await openStore(config.store ?? dataFile(config, SQLITE_FILE), {
    onWrite: (table, kind) => {
      changes.wrote(table, kind)
    },
    exclusive: true,
    onLost: () => {
      log.fatal('another broker has taken the database: this one ends')
      onDatabaseLost()
    },
    passwordFile: config.storePasswordFile,
  })
  const fault = await durabilityFault(store)
  if (fault !== null) log.warn({ fault }, 'the database may lose what it has confirmed')
  const authority = await Authority.open(config.dataDir, () => isCaTrusted(store))
  const key = await ownKey(dataFile(config, 'ssh-key'), {
    log,
    isEnrolled: () => hasHypervisor(store),
  })
  return {
    store,
    changes,
    authority,
    key,
    close: async () => {
      await store.destroy()
      unlock()
    },
  }
}

/** Whether a host knows the broker's SSH key. */
async function hasHypervisor(store: Store): Promise<boolean> {
  return (
    (await store.selectFrom('hypervisor').select('name').limit(1).executeTakeFirst()) !== undefined
  )
}

/** Whether anybody trusts the broker's CA: a host has a certificate of it, or a thin client has pinned it. */
async function isCaTrusted(store: Store): Promise<boolean> {
  const device = await store.selectFrom('thin_client').select('id').limit(1).executeTakeFirst()
  return device !== undefined || (await hasHypervisor(store))
}
