import type { IncomingHttpHeaders } from 'node:http'
import { timingSafeEqual } from 'node:crypto'
import { BrokerError } from '../errors.js'
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
  if (foreign)
    throw new BrokerError(
      'forbidden',
      "This request was made by another site, and is refused: open Berth's own pages, under " +
        "one of the broker's public names.",
    )
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
    throw new BrokerError(
      'forbidden',
      'A request with a cookie must say where it comes from (Origin or Sec-Fetch-Site): programs use a token.',
    )
  const given = Buffer.from(String(asked.headers['x-berth-csrf'] ?? ''))
  const wanted = Buffer.from(csrfToken(secret))
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
    throw new BrokerError(
      'forbidden',
      'The header x-berth-csrf is missing or wrong: GET /api/v1/session tells it.',
    )
}

/** Our own address as the browser knows it; a Host header that names none of our names is not believed. */
export function ownOrigin({ host }: Pick<Asked, 'host'>, publicNames: readonly string[]): string {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const port = /:(\d+)$/.exec(host)?.[1]
  return publicNames.includes(name)
    ? `https://${host}`
    : `https://${publicNames[0] ?? 'localhost'}${port === undefined ? '' : `:${port}`}`
}
