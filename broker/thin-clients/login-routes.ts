import {
  ChooseRequest,
  CodeLogin,
  LogoutRequest,
  PersonLogin,
  PersonLoginAnswer,
  ProviderLogin,
  ProviderLoginPoll,
  ProviderLoginPolled,
} from '../api/device-logins.js'
import { DeviceLoginBegun } from '../api/users.js'
import { type App, NoContent, route } from '../http.js'
import { ownOrigin } from '../users/browser.js'
import { placeOf } from './routes.js'
import type { ThinClients } from './service.js'

/** Of one address, behind which there may be an office; what a device may try for itself is bounded besides. */
const LOGINS = { rateLimit: { max: 600, timeWindow: 60_000 } }
const POLLS = { rateLimit: { max: 6_000, timeWindow: 60_000 } }

/**
 * People log in at thin clients, choose and log out. The device shows its key; the person's
 * password stands in the body only.
 */
export function deviceLoginRoutes(thinClients: ThinClients, publicNames: readonly string[]) {
  return (app: App): void => {
    passwordRoute(app, thinClients)
    providerRoutes(app, thinClients)
    codeRoutes(app, thinClients, publicNames)
    desktopRoutes(app, thinClients)
  }
}

function passwordRoute(app: App, thinClients: ThinClients): void {
  app.post(
    '/thin-clients/login',
    {
      ...route(
        'A person logs in at this thin client',
        { body: PersonLogin },
        { 200: PersonLoginAnswer },
      ),
      config: LOGINS,
    },
    async (request) => {
      const { device, target } = await thinClients.loginPlace(placeOf(request, request.body.macs))
      return {
        name: await thinClients.desktops.login(
          device,
          target,
          request.body.name,
          request.body.password,
        ),
      }
    },
  )
}

function providerRoutes(app: App, thinClients: ThinClients): void {
  app.post(
    '/thin-clients/login/provider',
    {
      ...route(
        'Begin a login that the person confirms in any browser',
        { body: ProviderLogin },
        { 200: DeviceLoginBegun },
      ),
      config: LOGINS,
    },
    async (request) => {
      const { device } = await thinClients.loginPlace(placeOf(request, request.body.macs))
      const begun = await thinClients.desktops.beginProvider(device, request.body.provider)
      return { ...begun, expiresAt: new Date(begun.expiresAt).toISOString() }
    },
  )
  app.post(
    '/thin-clients/login/provider/poll',
    {
      ...route(
        'Whether it was confirmed',
        { body: ProviderLoginPoll },
        { 200: ProviderLoginPolled },
      ),
      config: POLLS,
    },
    async (request) => {
      const { device, target } = await thinClients.loginPlace(placeOf(request, request.body.macs))
      return { name: await thinClients.desktops.pollProvider(device, target, request.body.handle) }
    },
  )
}

function codeRoutes(app: App, thinClients: ThinClients, publicNames: readonly string[]): void {
  app.post(
    '/thin-clients/login/code',
    {
      ...route(
        'Begin a login that the person confirms on the page /device',
        { body: CodeLogin },
        { 200: DeviceLoginBegun },
      ),
      config: LOGINS,
    },
    async (request) => {
      const { device, target } = await thinClients.loginPlace(placeOf(request, request.body.macs))
      const { expiresAt, ...begun } = await thinClients.desktops.beginCode(device, target)
      return {
        ...begun,
        verificationUri: `${ownOrigin(request, publicNames)}/device`,
        verificationUriComplete: null,
        expiresAt: new Date(expiresAt).toISOString(),
      }
    },
  )
  app.post(
    '/thin-clients/login/code/poll',
    {
      ...route(
        'Whether it was confirmed',
        { body: ProviderLoginPoll },
        { 200: ProviderLoginPolled },
      ),
      config: POLLS,
    },
    async (request) => {
      const { device, target } = await thinClients.loginPlace(placeOf(request, request.body.macs))
      return { name: await thinClients.desktops.pollCode(device, target, request.body.handle) }
    },
  )
}

function desktopRoutes(app: App, thinClients: ThinClients): void {
  const { logins } = thinClients
  app.post(
    '/thin-clients/choose',
    {
      ...route('The desktop that the person chose', { body: ChooseRequest }, { 204: NoContent }),
      config: LOGINS,
    },
    async (request, reply) => {
      const { device, target } = await thinClients.loginPlace(placeOf(request, request.body.macs))
      await thinClients.desktops.choose(device, target, request.body)
      return await reply.code(204).send()
    },
  )
  app.post(
    '/thin-clients/logout',
    {
      ...route('The person leaves', { body: LogoutRequest }, { 204: NoContent }),
      config: LOGINS,
    },
    async (request, reply) => {
      const device = await thinClients.deviceAt(placeOf(request, request.body.macs))
      const login = await logins.of(device)
      if (login) await logins.end(device.id, 'You have logged out.', login.person, login.row.since)
      return await reply.code(204).send()
    },
  )
}
