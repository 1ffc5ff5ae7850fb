import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Store } from '../store/open.js'
import { nameKey } from './names.js'

/** Tells which people have logged in here with their password; it lets nobody in. */
export const KNOWN_COOKIE = '__Host-berth-known'
export const KNOWN_SECONDS = 400 * 24 * 3_600 // the most that browsers keep one (RFC 6265bis, 5.5)
/** A browser that many share forgets who came longest ago. */
const MOST_PEOPLE = 8
const ID_BYTES = 12

/** What the marks are signed with. */
export async function knownSecretOf(store: Store): Promise<string> {
  const { value } = await store
    .selectFrom('setting')
    .select('value')
    .where('name', '=', 'known-browsers')
    .executeTakeFirstOrThrow()
  return value
}

/**
 * Browsers in which a person has logged in before. Guesses at that person's password from anywhere
 * else are counted apart, so that nobody is locked out of an own browser by strangers. A mark is
 * worth a counter and nothing else; a copy of it shares that counter.
 */
export class KnownBrowsers {
  constructor(readonly secret: string) {}

  /** The mark of this browser for this person, or null when they never logged in here. */
  markOf(cookie: string | undefined, name: string): string | null {
    const entries = entriesOf(cookie)
    return entries.find((entry) => this.#isOf(entry, name))?.split('.')[0] ?? null
  }

  /** The cookie after a login of this person; marks of others stay. */
  after(cookie: string | undefined, name: string): string {
    const entries = entriesOf(cookie)
    const own =
      entries.find((entry) => this.#isOf(entry, name)) ??
      this.#entry(randomBytes(ID_BYTES).toString('base64url'), name)
    return [own, ...entries.filter((entry) => entry !== own)].slice(0, MOST_PEOPLE).join('~')
  }

  #entry(id: string, name: string): string {
    const mac = createHmac('sha256', this.secret).update(`${nameKey(name)}\n${id}`)
    return `${id}.${mac.digest('base64url')}`
  }

  #isOf(entry: string, name: string): boolean {
    const given = Buffer.from(entry)
    const wanted = Buffer.from(this.#entry(entry.split('.')[0] ?? '', name))
    return given.length === wanted.length && timingSafeEqual(given, wanted)
  }
}

function entriesOf(cookie: string | undefined): string[] {
  return (cookie ?? '')
    .split('~', MOST_PEOPLE)
    .filter((entry) => /^[\w-]{16}\.[\w-]{43}$/.test(entry))
}
