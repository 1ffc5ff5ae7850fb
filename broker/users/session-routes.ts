import type {} from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { strictObject } from '../api/common.js'
import {
  DeviceLoginBegun,
  DeviceLoginPoll,
  DeviceLoginPolled,
  LoginProviders,
  LoginRequest,
  ProviderParams,
  ProviderTest,
  ReturnQuery,
  Session,
  SessionEnd,
} from '../api/users.js'
import { recordEvent } from '../audit/store.js'
import { type App, callerOf, NoContent, route } from '../http.js'
import type { AccountRow } from '../store/tables.js'
import { LOGIN_COOKIE, ownOrigin, requireSameSite, SESSION_COOKIE } from './browser.js'
import { type Caller, callerFor } from './caller.js'
import { KNOWN_COOKIE, KNOWN_SECONDS, type KnownBrowsers } from './known-browsers.js'
import { localPath } from './local-path.js'
import type { OwnSite } from './own-site.js'
import type { Providers } from './providers.js'
import type { Users } from './service.js'
import { csrfToken, endLogins } from './sessions.js'
import { inTransaction } from '../store/transaction.js'

export interface SessionRoutesDeps {
  readonly users: Users
  readonly providers: Providers
  readonly publicNames: readonly string[]
  readonly site: OwnSite
  readonly known: KnownBrowsers
  /** Of the changes that were told by now. */
  readonly mark: () => string
}

/** The host prefix binds a cookie to this host and to HTTPS (RFC 6265bis, 4.1.3.2). */
const COOKIE = { path: '/', httpOnly: true, secure: true } as const
const LOGIN_COOKIE_SECONDS = 600
/** Of one address: each one costs the provider and a row; an office of thin clients may stand behind one address. */
const PROVIDER_LOGINS = { rateLimit: { max: 300, timeWindow: 60_000 } }

/** Logins of browsers, and those that a provider makes sure of. */
export function sessionRoutes(deps: SessionRoutesDeps) {
  return (app: App): void => {
    beginRoutes(app, deps)
    endRoutes(app, deps)
    providersRoute(app, deps)
    redirectRoutes(app, deps)
    deviceRoutes(app, deps)
    testRoute(app, deps)
  }
}

function beginRoutes(app: App, deps: SessionRoutesDeps): void {
  const { users } = deps
  app.post(
    '/session',
    route(
      'Log in as a browser: the answer sets a cookie',
      { body: LoginRequest },
      { 200: Session },
    ),
    async (request, reply) => {
      requireSameSite(request, deps.site)
      const { name, password } = request.body
      // A browser where this person has been in before is counted by itself.
      const known = deps.known.markOf(request.cookies[KNOWN_COOKIE], name)
      const account = await users.checkPassword(name, password, request.ip, {
        address: request.ip,
        ...(known === null ? {} : { known }),
      })
      const session = await begin(deps, request, reply, account, 'password')
      void reply.setCookie(KNOWN_COOKIE, deps.known.after(request.cookies[KNOWN_COOKIE], name), {
        ...COOKIE,
        sameSite: 'strict',
        maxAge: KNOWN_SECONDS,
      })
      return session
    },
  )
  app.get(
    '/session',
    route('Who is logged in, and the token against forged requests', {}, { 200: Session }),
    async (request) =>
      await toSession(deps, callerOf(request), request.cookies[SESSION_COOKIE] ?? ''),
  )
}

function endRoutes(app: App, deps: SessionRoutesDeps): void {
  const { users, providers } = deps
  const { sessions } = users.deps
  app.delete('/session', route('Log out', {}, { 200: SessionEnd }), async (request, reply) => {
    const secret = request.cookies[SESSION_COOKIE] ?? ''
    const provider = await sessions.provider(secret)
    await inTransaction(users.store, async (tx) => {
      await sessions.end(tx, secret)
      await recordEvent(tx, callerOf(request), 'logout', `account:${callerOf(request).actor}`)
    })
    void reply.clearCookie(SESSION_COOKIE, { ...COOKIE })
    return {
      goTo:
        provider === null
          ? null
          : await providers
              .endSessionUrl(provider, `${ownOrigin(request, deps.publicNames)}/`)
              .catch(() => null),
    }
  })
  app.delete(
    '/sessions',
    route('Log out everywhere: all browsers and all logins', {}, { 204: NoContent }),
    async (request, reply) => {
      await inTransaction(users.store, async (tx) => {
        await endLogins(tx, callerOf(request).actor)
        await recordEvent(
          tx,
          callerOf(request),
          'account.log-out',
          `account:${callerOf(request).actor}`,
        )
      })
      return await reply
        .clearCookie(SESSION_COOKIE, { ...COOKIE })
        .code(204)
        .send()
    },
  )
}

function providersRoute(app: App, { providers }: SessionRoutesDeps): void {
  app.get('/login/providers', route('Ways to log in', {}, { 200: LoginProviders }), () => ({
    password: true,
    providers: providers.list(),
  }))
}

function redirectRoutes(app: App, deps: SessionRoutesDeps): void {
  const { users, providers } = deps
  app.get(
    '/login/oidc/:provider',
    {
      ...route('Log in with a provider: sends the browser there', {
        params: ProviderParams,
        querystring: ReturnQuery,
      }),
      config: PROVIDER_LOGINS,
    },
    async (request, reply) => {
      const redirectUri = callbackOf(request, deps, request.params.provider)
      const { url, browserSecret } = await providers.begin(
        request.params.provider,
        redirectUri,
        localPath(request.query.returnTo ?? '/'),
      )
      // Lax: the browser comes back from another site.
      return await reply
        .setCookie(LOGIN_COOKIE, browserSecret, {
          ...COOKIE,
          sameSite: 'lax',
          maxAge: LOGIN_COOKIE_SECONDS,
        })
        .redirect(url, 302)
    },
  )
  app.get(
    '/login/oidc/:provider/callback',
    route('Where the provider sends the browser back to', { params: ProviderParams }),
    async (request, reply) => {
      const query = request.url.split('?')[1] ?? ''
      const { person, returnTo } = await providers.finish(
        request.params.provider,
        query,
        request.cookies[LOGIN_COOKIE] ?? '',
      )
      const account = await users.admit(person, request.ip)
      await begin(deps, request, reply, account, person.source)
      return await reply.clearCookie(LOGIN_COOKIE, { ...COOKIE }).redirect(returnTo, 303)
    },
  )
}

/** Where a provider sends the browser back to; it must know this address. */
function callbackOf(request: FastifyRequest, deps: SessionRoutesDeps, provider: string): string {
  return `${ownOrigin(request, deps.publicNames)}/api/v1/login/oidc/${encodeURIComponent(provider)}/callback`
}

function testRoute(app: App, deps: SessionRoutesDeps): void {
  app.post(
    '/login/oidc/:provider/test',
    route(
      'What a login with it needs, step by step',
      { params: ProviderParams, body: strictObject({}) },
      { 200: ProviderTest },
    ),
    async (request) => {
      const { provider } = request.params
      const result = await deps.providers.test(provider, callbackOf(request, deps, provider))
      await recordEvent(
        deps.users.store,
        callerOf(request),
        'provider.test',
        `provider:${provider}`,
        {},
        result.good ? 'ok' : 'refused',
      )
      return result
    },
  )
}

function deviceRoutes(app: App, { users, providers }: SessionRoutesDeps): void {
  app.post(
    '/login/oidc/:provider/device',
    {
      ...route(
        'Begin a login that is confirmed in any browser',
        { params: ProviderParams, body: strictObject({}) },
        { 200: DeviceLoginBegun },
      ),
      config: PROVIDER_LOGINS,
    },
    async (request) => {
      const begun = await providers.startDeviceLogin(request.params.provider)
      return { ...begun, expiresAt: new Date(begun.expiresAt).toISOString() }
    },
  )
  app.post(
    '/login/oidc/:provider/poll',
    route(
      'Whether it was confirmed; then a token',
      { params: ProviderParams, body: DeviceLoginPoll },
      { 200: DeviceLoginPolled },
    ),
    async (request) => {
      const person = await providers.pollDeviceLogin(request.body.handle)
      if (!person) return { login: null }
      const account = await users.admit(person, request.ip)
      return { login: { name: account.name, ...(await users.tokenFor(account, request.ip)) } }
    },
  )
}

/**
 * Begins a session and sets its cookie. After a provider's redirect it must come along from another
 * site: Lax; else Strict.
 */
async function begin(
  deps: SessionRoutesDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  account: AccountRow,
  provider: string,
): Promise<Session> {
  const { users } = deps
  const { secret, expiresAt } = await inTransaction(users.store, async (tx) => {
    const old = request.cookies[SESSION_COOKIE]
    if (old !== undefined) await users.deps.sessions.end(tx, old)
    return await users.deps.sessions.begin(tx, account.name, provider, request.ip)
  })
  void reply.setCookie(SESSION_COOKIE, secret, {
    ...COOKIE,
    sameSite: provider === 'password' ? 'strict' : 'lax',
    expires: new Date(expiresAt),
  })
  return await toSession(
    deps,
    await callerFor(users.store, account, {
      address: request.ip,
      token: '',
      scopes: null,
      expiresAt,
    }),
    secret,
  )
}

async function toSession(
  { users, mark }: SessionRoutesDeps,
  by: Caller,
  secret: string,
): Promise<Session> {
  const account = await users.store
    .selectFrom('account')
    .select('display_name')
    .where('name', '=', by.actor)
    .executeTakeFirstOrThrow()
  return {
    name: by.actor,
    displayName: account.display_name,
    role: by.role,
    roles: [...by.roles],
    source: by.source,
    csrf: secret === '' ? '' : csrfToken(secret),
    expiresAt: by.expiresAt === null ? null : new Date(by.expiresAt).toISOString(),
    mark: mark(),
  }
}
