import { verifyChain } from './audit/chain.js'
import { type Config, dataFile } from './config.js'
import { refusal } from './errors/broker-error.js'
import { SQLITE_FILE } from './foundation.js'
import { lockDataDirectory } from './store/data-directory.js'
import { copyStore, type Moved } from './store/move.js'
import { openStore, type Store } from './store/open.js'
import { placeFault, shownPlace } from './database-place.js'

export interface MoveOptions {
  readonly config: Config
  /** sqlite, or the URL of a PostgreSQL database. */
  readonly to: string
  readonly passwordFile: string
  readonly say: (line: string) => void
}

/**
 * Copies everything that the broker knows from the database of the settings into another one,
 * compares the two row by row, and says what the chain of the audit log is there. The old database
 * stays as it is, and so do the settings. Throws while a broker runs on either, and when something
 * is wrong; the target is empty then.
 */
export async function moveStore({ config, to, passwordFile, say }: MoveOptions): Promise<Moved> {
  const places = { from: placeOf(config, config.store ?? 'sqlite'), to: placeOf(config, to) }
  if (places.from === places.to) throw refusal('move_to_itself', { place: shown(places.to) })
  const unlock = lockDataDirectory(config.dataDir)
  const opened: Store[] = []
  const open = async (place: string, file: string): Promise<Store> => {
    const store = await openStore(place, { exclusive: true, passwordFile: file })
    opened.push(store)
    return store
  }
  try {
    const from = await open(places.from, config.storePasswordFile)
    const target = await open(places.to, passwordFile)
    const moved = await copyStore(from, target, (table, rows) => {
      say(`${table}: ${rows}`)
    })
    const { good, events, fault } = await verifyChain(target)
    say(
      good
        ? `The chain of the audit log is whole (${events} events).`
        : `The audit log is as it was, and was changed from outside before: ${fault?.message ?? ''}`,
    )
    return moved
  } finally {
    for (const store of opened) await store.destroy()
    unlock()
  }
}

function placeOf(config: Config, where: string): string {
  if (where === 'sqlite') return dataFile(config, SQLITE_FILE)
  const fault = placeFault(where)
  if (fault !== null) throw refusal('move_place_wrong', { place: where, fault })
  return where
}

function shown(place: string): string {
  return place.startsWith('/') ? place : shownPlace(place)
}
