import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { rootCertificates, type SecureContextOptions } from 'node:tls'
import type { Logger } from 'pino'
import { inBackground } from '../background.js'
import type { Config } from '../config.js'
import type { Authority } from './authority.js'
import { chainOf, type ServerChain } from './chain.js'
import { serverCertificate } from './server-certificate.js'

const LOOK_EVERY_MS = 30_000
/** Where this system keeps the CAs that it trusts, a company's own among them. */
const SYSTEM_BUNDLE = '/etc/ssl/certs/ca-certificates.crt'
const WARN_BEFORE_MS = 14 * 24 * 3_600_000

export interface ServerKeys {
  readonly key: string
  readonly cert: string
}

interface Followed {
  setSecureContext(options: SecureContextOptions): void
}

/**
 * The certificate with which the broker answers. One of the site's own is followed: when its files
 * change, new connections get the new one, without a restart.
 */
export class ServerTls {
  #keys: ServerKeys
  #chain: ServerChain
  #stamp: string
  #timer: NodeJS.Timeout | undefined

  private constructor(
    readonly config: Config,
    readonly authority: Authority,
    readonly log: Logger,
    read: { keys: ServerKeys; chain: ServerChain },
    stamp: string,
  ) {
    this.#keys = read.keys
    this.#chain = read.chain
    this.#stamp = stamp
    this.#warn()
  }

  /** Throws when the configured files cannot be used. */
  static async open(config: Config, authority: Authority, log: Logger): Promise<ServerTls> {
    const stamp = stampOf(config)
    return new ServerTls(config, authority, log, await read(config, authority), stamp)
  }

  get keys(): ServerKeys {
    return this.#keys
  }

  /** What clients pin: of the end of the chain that the broker sends. */
  get fingerprint(): string {
    return this.#chain.fingerprint
  }

  /** From now on the server answers with what the files hold. */
  follow(server: Followed): void {
    if (this.config.tls === null) return
    this.#timer = setInterval(() => {
      inBackground({
        log: this.log,
        what: 'certificates.look',
        work: () => this.look(server),
      })
    }, LOOK_EVERY_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /**
   * Takes changed files; those that cannot be used are logged, and the certificate until now stays.
   * Gives whether there is another one now.
   */
  async look(server: Followed): Promise<boolean> {
    const stamp = stampOf(this.config)
    if (stamp === this.#stamp) return false
    try {
      const { keys, chain } = await read(this.config, this.authority)
      server.setSecureContext({ ...keys, minVersion: 'TLSv1.2' })
      const pinBefore = this.fingerprint
      this.#keys = keys
      this.#chain = chain
      this.#stamp = stamp
      this.log.info(
        { ca: chain.fingerprint, expires: chain.expiresAt },
        'the certificate was renewed',
      )
      if (pinBefore !== chain.fingerprint)
        this.log.warn(
          { before: pinBefore, ca: chain.fingerprint },
          'the certificate has another CA: clients that pin the one before refuse the broker ' +
            'until they are told of this one',
        )
      this.#warn()
      return true
    } catch (error) {
      // Half a renewal: one file is new, the other is not yet. It is tried again at the next look.
      this.log.error({ err: error }, 'the new certificate cannot be used; the one before stays')
      return false
    }
  }

  #warn(): void {
    const { tls, publicNames } = this.config
    if (tls === null) return
    const { complete, expiresAt, fingerprint } = this.#chain
    if (!complete)
      this.log.warn(
        { certificate: tls.certificate, ca: fingerprint },
        'the chain of tls-certificate does not end with a root, and this system knows none ' +
          'for it: append the root, or clients that pin its end refuse the broker when the CA ' +
          'changes what lies between',
      )
    if (expiresAt.getTime() - Date.now() < WARN_BEFORE_MS)
      this.log.warn({ expires: expiresAt }, 'the certificate of the broker expires soon, or has')
    const leaf = new X509Certificate(this.#keys.cert)
    const missing = publicNames.filter(
      (name) => (isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name)) === undefined,
    )
    if (missing.length > 0)
      this.log.warn(
        { names: missing },
        'the certificate of the broker is not for these public-names',
      )
  }
}

async function read(
  config: Config,
  authority: Authority,
): Promise<{ keys: ServerKeys; chain: ServerChain }> {
  const { key, cert } = await serverCertificate(config, authority)
  const chain = chainOf(cert, config.tls === null ? [] : knownRoots())
  return { keys: { key, cert: chain.pem }, chain }
}

function knownRoots(): string[] {
  const own = existsSync(SYSTEM_BUNDLE)
    ? (readFileSync(SYSTEM_BUNDLE, 'utf8').match(
        /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g,
      ) ?? [])
    : []
  return [...own, ...rootCertificates]
}

/** Other files, or other content: time of change, size and inode of both. */
function stampOf({ tls }: Config): string {
  if (tls === null) return ''
  return [tls.certificate, tls.key]
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false })
      return stat ? `${stat.mtimeMs} ${stat.size} ${stat.ino}` : 'missing'
    })
    .join(' ')
}
