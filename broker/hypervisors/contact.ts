import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import type { Client } from 'ssh2'
import { BrokerError, sentenceOf } from '../errors/broker-error.js'
import { HelperChannel, type RequestOptions } from './helper-channel.js'
import type { LinkSettings } from './link-settings.js'
import { openHelper, openSsh, scanHostKey } from './ssh-connection.js'

/** How a new connection comes about, one thing after the other. */
export const CONTACT_STAGES = ['name', 'port', 'host-key'] as const
export type ContactStage = (typeof CONTACT_STAGES)[number]
/** What was seen (addresses, milliseconds, a fingerprint), or what stood in the way. */
export type Contact =
  | { readonly seen: string }
  | { readonly fault: 'unknown' | 'refused' | 'silent' | 'no-ssh'; readonly reason: string }

/** A connection of its own, beside the line: a helper that is not told to do anything by itself. */
export interface Visit {
  readonly helperVersion: string
  request<T>(op: string, args: object, options?: RequestOptions): Promise<T>
  close(): void
}
export type Visited =
  Visit | { readonly fault: 'refused' | 'failed' | 'helper'; readonly reason: string }

const CONNECT_TIMEOUT_MS = 5_000
const HELLO_TIMEOUT_MS = 15_000

/** Tries one stage; nothing is said to the host beyond it. */
export async function tryContact(
  stage: ContactStage,
  { address, port }: Pick<LinkSettings, 'address' | 'port'>,
): Promise<Contact> {
  try {
    if (stage === 'name')
      return { seen: (await lookup(address, { all: true })).map((one) => one.address).join(', ') }
    if (stage === 'port') return { seen: `${await connectTime(address, port)} ms` }
    return { seen: (await scanHostKey(address, port)).fingerprint }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return {
      fault:
        stage === 'name'
          ? 'unknown'
          : stage === 'host-key'
            ? 'no-ssh'
            : code === 'ECONNREFUSED'
              ? 'refused'
              : 'silent',
      reason: sentenceOf(error),
    }
  }
}

async function connectTime(host: string, port: number): Promise<number> {
  const begunMs = performance.now()
  return await new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS })
    socket.once('error', reject).once('timeout', () => {
      socket.destroy(new Error(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`))
    })
    socket.once('connect', () => {
      socket.destroy()
      resolve(Math.round(performance.now() - begunMs))
    })
  })
}

/** Logs in and starts a helper. Unlike the line, it neither makes directories nor listens to events there. */
export async function visit(settings: LinkSettings, privateKey: string): Promise<Visited> {
  let ssh: Client
  try {
    ssh = await openSsh(settings, privateKey, AbortSignal.timeout(2 * HELLO_TIMEOUT_MS))
  } catch (error) {
    const refused = error instanceof BrokerError && error.reason === 'ssh_login_refused'
    return { fault: refused ? 'refused' : 'failed', reason: sentenceOf(error) }
  }
  try {
    const helper = new HelperChannel(settings.name, await openHelper(ssh))
    ssh.once('close', () => {
      helper.close()
    })
    const { version } = await helper.hello(HELLO_TIMEOUT_MS)
    return {
      helperVersion: version,
      request: async (op, args, options) => await helper.request(op, args, options),
      close: () => {
        ssh.end()
      },
    }
  } catch (error) {
    ssh.destroy()
    return { fault: 'helper', reason: sentenceOf(error) }
  }
}
