import { once } from 'node:events'
import { readFileSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Provider from 'oidc-provider'
import { ownCertificate } from './own-certificate.js'

export const CLIENT_SECRET = 'a secret of the client, long enough'
const SCOPES = 'openid profile groups'

/**
 * A real provider on loopback. Who asks for a login is `who`, without a form; what is said of them
 * stands in `claims`.
 */
export interface OpenIdProvider {
  readonly issuer: string
  readonly ca: string
  readonly folder: string
  who: string
  claims: Record<string, Record<string, unknown>>
  remove: () => Promise<void>
}

export async function startProvider(brokerUrl: string): Promise<OpenIdProvider> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-oidc-'))
  const { certificate, key } = await ownCertificate(folder, ['127.0.0.1'])
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const state: OpenIdProvider = {
    issuer,
    ca: certificate,
    folder,
    who: 'sub-1',
    claims: {},
    remove: async () => {
      server.closeAllConnections()
      server.close()
      rmSync(folder, { recursive: true })
      await Promise.resolve()
    },
  }
  const provider = providerAt(issuer, brokerUrl, state)
  const answer = provider.callback()
  server.on('request', (asked, response) => {
    if (!(asked.url ?? '').startsWith('/interaction/')) void answer(asked, response)
    else if (state.who === '')
      void provider.interactionFinished(asked, response, { error: 'access_denied' })
    else void provider.interactionFinished(asked, response, { login: { accountId: state.who } })
  })
  return state
}

function providerAt(issuer: string, brokerUrl: string, state: OpenIdProvider) {
  return new Provider(issuer, {
    clients: [
      {
        client_id: 'berth',
        client_secret: CLIENT_SECRET,
        redirect_uris: [`${brokerUrl}/api/v1/login/oidc/corp/callback`],
        post_logout_redirect_uris: [`${brokerUrl}/`],
        response_types: ['code'],
        grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
      },
    ],
    scopes: SCOPES.split(' '),
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], groups: ['groups'] },
    cookies: { keys: ['a key for the cookies of the test'] },
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...state.claims[id] }),
    }),
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client?.clientId ?? '',
        accountId: ctx.oidc.session?.accountId ?? '',
      })
      grant.addOIDCScope(SCOPES)
      await grant.save()
      return grant
    },
  })
}

interface Page {
  readonly url: string
  readonly status: number
  readonly text: string
  readonly headers: Record<string, string | string[] | undefined>
}

/**
 * A browser without pictures: it keeps the cookies of each host, follows redirects until one leaves
 * for `until`, and sends forms.
 */
export class Walker {
  readonly #cookies = new Map<string, Map<string, string>>()
  constructor(readonly cas: readonly string[]) {}

  async open(url: string, stopAt = ''): Promise<Page> {
    let page = await this.#ask(url)
    for (let hops = 0; hops < 12 && page.status >= 300 && page.status < 400; hops += 1) {
      const next = new URL(String(page.headers['location']), page.url).href
      if (stopAt !== '' && next.startsWith(stopAt)) return { ...page, url: next }
      page = await this.#ask(next)
    }
    return page
  }

  async post(url: string, fields: Record<string, string>): Promise<Page> {
    const page = await this.#ask(url, new URLSearchParams(fields).toString())
    return page.status >= 300 && page.status < 400
      ? await this.open(new URL(String(page.headers['location']), page.url).href)
      : page
  }

  async #ask(url: string, body?: string): Promise<Page> {
    const { host } = new URL(url)
    const jar = this.#cookies.get(host) ?? new Map<string, string>()
    this.#cookies.set(host, jar)
    const page = await new Promise<Page>((resolve, reject) => {
      const sent = request(
        url,
        {
          method: body === undefined ? 'GET' : 'POST',
          ca: [...this.cas],
          agent: false,
          headers: {
            cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
            ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
          },
        },
        (answer) => {
          let text = ''
          answer
            .setEncoding('utf8')
            .on('data', (chunk: string) => {
              text += chunk
            })
            .on('end', () => {
              resolve({ url, status: answer.statusCode ?? 0, text, headers: answer.headers })
            })
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
    for (const line of [page.headers['set-cookie'] ?? []].flat()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') jar.delete(name)
      else jar.set(name, value)
    }
    return page
  }

  cookie(host: string, name: string): string | undefined {
    return this.#cookies.get(host)?.get(name)
  }
}
