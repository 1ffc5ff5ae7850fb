import type { IncomingHttpHeaders } from 'node:http'
import { timingSafeEqual } from 'node:crypto'
import { refusal } from '../errors/broker-error.js'
import type { OwnSite, Reached } from './own-site.js'
import { csrfToken } from './sessions.js'

export const SESSION_COOKIE = '__Host-berth'
/** Binds a login that has gone to a provider to the browser that began it. */
export const LOGIN_COOKIE = '__Host-berth-login'

/** The parts of a request that tell where it comes from. */
export interface Asked extends Reached {
  readonly method: string
  readonly headers: IncomingHttpHeaders
}

const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/**
 * Refuses what another site has made a browser send: by what the browser says itself, where it
 * does. Throws `forbidden`.
 */
export function requireSameSite(asked: Asked, own: OwnSite): void {
  const { 'sec-fetch-site': site, origin } = asked.headers
  const foreign =
    (site !== undefined && site !== 'same-origin' && site !== 'none') ||
    (origin !== undefined && !own.isOrigin(origin, asked)) ||
    (site !== undefined && !own.isOwn(asked))
  if (foreign) throw refusal('made_by_other_site')
}

/**
 * A cookie alone changes nothing: the request must come from our own page, and show the token that
 * only it could read. Throws `forbidden`.
 */
export function requireOwnPage(asked: Asked, secret: string, own: OwnSite): void {
  const upgrade = asked.method === 'GET' && asked.headers.upgrade !== undefined
  if (SAFE_METHODS.includes(asked.method) && !upgrade) return
  requireSameSite(asked, own)
  if (upgrade) return // a browser's WebSocket sends no header of ours, but always its origin
  if (asked.headers.origin === undefined && asked.headers['sec-fetch-site'] === undefined)
    throw refusal('origin_missing')
  const given = Buffer.from(String(asked.headers['x-berth-csrf'] ?? ''))
  const wanted = Buffer.from(csrfToken(secret))
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw refusal('csrf_wrong')
}

/** Our own address as the browser knows it; a Host header that names none of our names is not believed. */
export function ownOrigin({ host }: Pick<Asked, 'host'>, publicNames: readonly string[]): string {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const port = /:(\d+)$/.exec(host)?.[1]
  return publicNames.includes(name)
    ? `https://${host}`
    : `https://${publicNames[0] ?? 'localhost'}${port === undefined ? '' : `:${port}`}`
}
