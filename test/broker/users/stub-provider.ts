import { createHmac, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CLIENT_SECRET } from './openid-provider.js'
import { ownCertificate } from './own-certificate.js'

type Answer = readonly [status: number, body: unknown]

/** A provider that does what a test wants, which no well-kept one can be made to. */
export interface StubProvider {
  readonly issuer: string
  readonly ca: string
  readonly secretFile: string
  /** Added to its discovery document; undefined removes. */
  metadata: Record<string, unknown>
  alg: 'RS256' | 'HS256'
  claims: Record<string, unknown>
  /** Its answers instead of the usual ones, by path. */
  instead: Record<string, Answer | undefined>
  skewMs: number
  keys: unknown
  /** How the client's secret came, of each question for tokens. */
  readonly secretsBy: string[]
  /** The paths that were asked for. */
  readonly asked: string[]
  /** Closes the connections that wait for another question. */
  hangUp: () => void
  remove: () => void
}

export async function startStubProvider(host = '127.0.0.1'): Promise<StubProvider> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-stub-oidc-'))
  const { certificate, key } = await ownCertificate(folder, [host])
  const secretFile = join(folder, 'secret')
  writeFileSync(secretFile, `${CLIENT_SECRET}\n`)
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `https://${host}:${(server.address() as AddressInfo).port}`
  const nonces = new Map<string, string>()
  const stub: StubProvider = {
    issuer,
    ca: certificate,
    secretFile,
    metadata: {},
    alg: 'RS256',
    claims: { preferred_username: 'alice', groups: ['desks'] },
    instead: {},
    skewMs: 0,
    keys: [{ ...pair.publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'one' }],
    secretsBy: [],
    asked: [],
    hangUp: () => {
      server.closeAllConnections()
    },
    remove: () => {
      server.closeAllConnections()
      server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  server.on('request', (request, response) => {
    void answerOf(request, stub, nonces, pair.privateKey).then(([status, body]) => {
      response.setHeader('date', new Date(Date.now() + stub.skewMs).toUTCString())
      if (status === 302) response.writeHead(302, { location: String(body) }).end()
      else
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  })
  return stub
}

async function answerOf(
  request: IncomingMessage,
  stub: StubProvider,
  nonces: Map<string, string>,
  key: KeyObject,
): Promise<Answer> {
  const { issuer } = stub
  const url = new URL(request.url ?? '/', issuer)
  stub.asked.push(url.pathname)
  const instead = stub.instead[url.pathname]
  if (instead !== undefined) return instead
  switch (url.pathname) {
    case '/.well-known/openid-configuration':
      return [
        200,
        {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/keys`,
          response_types_supported: ['code'],
          id_token_signing_alg_values_supported: [stub.alg],
          ...stub.metadata,
        },
      ]
    case '/keys':
      return [200, { keys: stub.keys }]
    case '/authorize': {
      const code = `code-${nonces.size}`
      nonces.set(code, url.searchParams.get('nonce') ?? '')
      const back = new URL(url.searchParams.get('redirect_uri') ?? issuer)
      back.searchParams.set('code', code)
      back.searchParams.set('state', url.searchParams.get('state') ?? '')
      return [302, back.href]
    }
    case '/token':
      return await tokens(request, stub, nonces, key)
    default:
      return [404, {}]
  }
}

async function tokens(
  request: IncomingMessage,
  stub: StubProvider,
  nonces: Map<string, string>,
  key: KeyObject,
): Promise<Answer> {
  let text = ''
  for await (const piece of request) text += String(piece)
  const body = new URLSearchParams(text)
  const by = request.headers.authorization === undefined ? 'post' : 'basic'
  stub.secretsBy.push(by)
  const taken = stub.metadata['token_endpoint_auth_methods_supported'] as string[] | undefined
  const secret =
    by === 'post'
      ? body.get('client_secret')
      : decodeURIComponent(
          Buffer.from(request.headers.authorization?.slice(6) ?? '', 'base64')
            .toString()
            .split(':')[1] ?? '',
        ).replaceAll('+', ' ')
  if (taken?.includes(`client_secret_${by}`) === false || secret !== CLIENT_SECRET)
    return [401, { error: 'invalid_client' }]
  const nonce = nonces.get(body.get('code') ?? '')
  if (nonce === undefined) return [400, { error: 'invalid_grant' }]
  const now = Math.floor((Date.now() + stub.skewMs) / 1000)
  const claims = {
    iss: stub.issuer,
    aud: 'berth',
    sub: 'sub-1',
    nonce,
    iat: now,
    exp: now + 300,
    ...stub.claims,
  }
  return [
    200,
    { access_token: 'access', token_type: 'Bearer', id_token: signed(stub.alg, claims, key) },
  ]
}

function signed(alg: StubProvider['alg'], claims: object, key: KeyObject): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg, kid: 'one' })}.${part(claims)}`
  const signature =
    alg === 'HS256'
      ? createHmac('sha256', CLIENT_SECRET).update(text).digest()
      : createSign('sha256').update(text).sign(key)
  return `${text}.${signature.toString('base64url')}`
}
