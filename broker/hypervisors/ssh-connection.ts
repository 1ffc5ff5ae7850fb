import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { Client, type ClientChannel, type ConnectConfig } from 'ssh2'
import { type BrokerError, refusal, sentenceOf } from '../errors/broker-error.js'

export interface SshTarget {
  readonly name: string
  readonly address: string
  readonly port: number
  /** `SHA256:…` of the one host key that is accepted. */
  readonly hostKeyFingerprint: string
}

const USER = 'berth'
const HANDSHAKE_TIMEOUT_MS = 10_000
/** A host that says nothing for 3 × 5 s is away; well before TCP notices. */
const KEEPALIVE: Pick<ConnectConfig, 'keepaliveInterval' | 'keepaliveCountMax'> = {
  keepaliveInterval: 5_000,
  keepaliveCountMax: 3,
}
/** A living host opens a channel in the time of a round trip. */
const CHANNEL_WITHIN_MS = 20_000
/** A fixed order, so that a host with several keys shows the same one each time. */
const HOST_KEY_ORDER = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const

/** As `ssh-keygen -l` prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/**
 * Opens the one SSH connection to a hypervisor. Throws `host_key_changed` naming both fingerprints,
 * or `hypervisor_unreachable` with the reason. The returned client emits `close` once when the line
 * is gone.
 */
export async function openSsh(
  target: SshTarget,
  privateKey: string,
  signal: AbortSignal,
): Promise<Client> {
  const client = new Client()
  let offered: string | undefined
  client.connect({
    host: target.address,
    port: target.port,
    username: USER,
    privateKey,
    readyTimeout: HANDSHAKE_TIMEOUT_MS,
    ...KEEPALIVE,
    algorithms: { serverHostKey: [...HOST_KEY_ORDER] },
    hostVerifier: (key: Buffer) => {
      offered = fingerprintOf(key)
      return offered === target.hostKeyFingerprint
    },
  })
  client.on('error', () => {}) // after `ready` an error is always followed by `close`
  try {
    await ready(client, signal)
    // a key or a request must not wait until the packet before it is acknowledged (RFC 1122,
    // 4.2.3.4)
    client.setNoDelay(true)
    return client
  } catch (cause) {
    client.destroy()
    if (offered !== undefined && offered !== target.hostKeyFingerprint) {
      throw refusal(
        'host_key_changed',
        { hypervisor: target.name, offered, pinned: target.hostKeyFingerprint },
        { cause },
      )
    }
    throw notReached(`${target.name} (${target.address} port ${target.port})`, cause)
  }
}

/** The host closed the connection during the login. */
class HungUp extends Error {}

/**
 * A host that hangs up after its first line and before the login emits `close` and no error, and
 * ssh2's own time limit ends with it.
 */
async function ready(client: Client, signal: AbortSignal): Promise<void> {
  const hungUp = new AbortController()
  const onClose = (): void => {
    hungUp.abort(new HungUp('it closed the connection during the login'))
  }
  client.once('close', onClose)
  try {
    await once(client, 'ready', { signal: AbortSignal.any([signal, hungUp.signal]) })
  } catch (error) {
    throw hungUp.signal.aborted ? hungUp.signal.reason : error
  } finally {
    client.off('close', onClose)
  }
}

/** `cause`: what ssh2 said; undefined: the host closed the connection without a word. */
function notReached(place: string, cause: unknown): BrokerError {
  const extras = cause === undefined ? {} : { cause }
  const reason = cause === undefined ? 'ssh_closed' : reasonOf(cause)
  if (reason !== null) return refusal(reason, { place }, extras)
  const said = sentenceOf(cause).replace(/[.?]$/, '')
  return refusal('ssh_failed', { place, said }, extras)
}

function reasonOf(cause: unknown) {
  const { level, code } = cause as { level?: string; code?: string }
  if (cause instanceof HungUp) return 'ssh_hung_up'
  if (level === 'client-authentication') return 'ssh_login_refused'
  if (code === 'ECONNREFUSED') return 'ssh_port_closed'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'ssh_name_unknown'
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'ssh_no_route'
  return level === 'client-timeout' || code === 'ETIMEDOUT' ? 'ssh_no_answer' : null
}

/** Looks which host key an address shows; nothing else is said to it. Throws `hypervisor_unreachable`. */
export async function scanHostKey(
  address: string,
  port: number,
): Promise<{ keyType: string; fingerprint: string }> {
  const client = new Client()
  let found: { keyType: string; fingerprint: string } | undefined
  const ended = new Promise<unknown>((resolve) => {
    client.on('error', resolve).on('close', () => {
      resolve(undefined)
    })
  })
  client.connect({
    host: address,
    port,
    username: USER,
    readyTimeout: HANDSHAKE_TIMEOUT_MS,
    algorithms: { serverHostKey: [...HOST_KEY_ORDER] },
    hostVerifier: (key: Buffer) => {
      const length = key.readUInt32BE(0)
      found = {
        keyType: key.subarray(4, 4 + length).toString('latin1'),
        fingerprint: fingerprintOf(key),
      }
      return false
    },
  })
  const fault = await ended
  client.destroy()
  if (!found) throw notReached(`${address} port ${port}`, fault)
  return found
}

/** Starts the helper by the key's forced command; one of at most 10 channels of this kind (sshd's MaxSessions). */
export async function openHelper(client: Client, withinMs = CHANNEL_WITHIN_MS): Promise<Duplex> {
  const exec = (done: (error: Error | undefined, channel: ClientChannel) => void): void => {
    client.exec('berth-helper', done)
  }
  const channel = await openChannel(client, 'The helper', exec, withinMs)
  channel.stderr.resume()
  return channel
}

/** A stream to a unix socket on the host (OpenSSH stream-local forwarding). */
export async function openSocket(client: Client, path: string): Promise<Duplex> {
  return await openChannel<ClientChannel>(client, `The socket ${path}`, (done) => {
    client.openssh_forwardOutStreamLocal(path, done)
  })
}

/** RFC 4254, section 5.1: SSH_OPEN_ADMINISTRATIVELY_PROHIBITED. */
const PROHIBITED = 1
/** What the host's log names as the origin; RFC 4254 wants one. */
const ORIGIN = { address: '127.0.0.1', port: 0 }

/**
 * A TCP connection that the host makes for us (direct-tcpip). A forwarded channel is no session:
 * sshd's MaxSessions does not count it.
 */
export async function openForward(
  client: Client,
  to: { host: string; port: number },
  withinMs: number,
): Promise<Duplex> {
  const place = `${to.host} port ${to.port}`
  return await new Promise((resolve, reject) => {
    const settle = (error: BrokerError | null, channel?: Duplex): void => {
      clearTimeout(timer)
      client.off('close', onClose)
      if (error) reject(error)
      else if (channel) resolve(channel)
    }
    const onClose = (): void => {
      settle(refusal('port_line_lost', { place }))
    }
    const timer = setTimeout(() => {
      settle(refusal('port_silent', { place, ms: withinMs }))
    }, withinMs)
    client.setMaxListeners(0).once('close', onClose)
    client.forwardOut(ORIGIN.address, ORIGIN.port, to.host, to.port, (error, channel) => {
      if (!error) {
        const late = !client.listeners('close').includes(onClose)
        const stream = endingWith<Duplex>(client, channel)
        if (late) stream.on('error', () => {}).destroy()
        else settle(null, stream)
      } else settle(forwardFault(error, place))
    })
  })
}

function forwardFault(error: Error, place: string): BrokerError {
  if ((error as { reason?: unknown }).reason === PROHIBITED)
    return refusal('forwarding_refused', { place }, { cause: error })
  return refusal('port_refused', { place }, { cause: error })
}

/**
 * ssh2 leaves the channels of a connection that broke as they are, and its `destroy` only asks the
 * other side: whoever reads from one would wait for ever. So `close` is told here.
 */
function endingWith<T extends Duplex>(client: Client, channel: T): T {
  const end = (): void => {
    channel.emit('close')
  }
  client.setMaxListeners(0).once('close', end)
  channel.once('close', () => {
    client.off('close', end)
  })
  return channel
}

/**
 * Opens a channel; a connection that breaks meanwhile, or does not answer in time, is an error,
 * since ssh2 then never calls back.
 */
async function openChannel<T extends Duplex>(
  client: Client,
  what: string,
  open: (done: (error: Error | undefined, channel: T) => void) => void,
  withinMs = CHANNEL_WITHIN_MS,
): Promise<T> {
  return await new Promise((resolve, reject) => {
    const lost = (cause?: Error): void => {
      reject(
        refusal(
          'port_not_reached',
          { place: what, said: cause?.message ?? 'the line was lost' },
          { cause },
        ),
      )
    }
    const onClose = (): void => {
      clearTimeout(timer)
      lost()
    }
    let late = false
    const timer = setTimeout(() => {
      late = true
      client.off('close', onClose)
      lost(new Error(`the host did not open a channel within ${withinMs / 1000} s`))
    }, withinMs)
    client.setMaxListeners(0).once('close', onClose)
    open((error, channel) => {
      clearTimeout(timer)
      client.off('close', onClose)
      if (error) lost(error)
      else if (late) channel.on('error', () => {}).destroy()
      else resolve(endingWith(client, channel))
    })
  })
}
