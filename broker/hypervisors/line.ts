import { once } from 'node:events'
import type { Logger } from 'pino'
import type { Client } from 'ssh2'
import { HelperChannel } from './helper-channel.js'
import type { HostFacts, LinkEvents, LinkSettings } from './hypervisor.js'
import { SocketForward } from './socket-forward.js'
import type { LibvirtProcesses } from './libvirt-processes.js'
import { openHelper, openSsh } from './ssh-connection.js'

export interface LinkDeps {
  readonly settings: () => LinkSettings
  readonly privateKey: string
  readonly processes: Pick<LibvirtProcesses, 'call' | 'release'>
  readonly patience?: Partial<Patience>
  readonly events: LinkEvents
  readonly log: Logger
}

/** What one connection consists of; all of it ends together. */
export interface Line {
  readonly ssh: Client
  readonly helper: HelperChannel
  readonly forward: SocketForward
  /**
   * Ends, or rejects with what ssh2 says, when any of it is gone; kept from its beginning, so that
   * nothing is missed.
   */
  readonly gone: Promise<unknown>
}

/** How long the parts of a living line may take. */
export interface Patience {
  readonly channelMs: number
  readonly helloMs: number
  readonly factsEveryMs: number
  /** A helper that lives answers a ping at once, whatever else it does. */
  readonly pingMs: number
}

export const PATIENCE: Patience = {
  channelMs: 20_000,
  helloMs: 15_000,
  factsEveryMs: 30_000,
  pingMs: 15_000,
}
export const CALL_TIMEOUT_MS = 15_000

/** With what the host said of itself at once. */
export type NewLine = Line & { readonly facts: HostFacts }

/** This end of it. */
export interface LineEnd {
  readonly name: string
  readonly deps: LinkDeps
  readonly patience: Patience
}

/** Connects, and proves that helper and libvirt answer. `signal`: gives up. */
export async function openLine(end: LineEnd, signal: AbortSignal): Promise<NewLine> {
  const { name, deps, patience } = end
  const settings = deps.settings()
  const ssh = await openSsh(settings, deps.privateKey, signal)
  const sshGone = once(ssh, 'close')
  sshGone.catch(() => {}) // who serves the line sees it
  const giveUp = (): void => {
    ssh.destroy()
  }
  signal.addEventListener('abort', giveUp)
  ssh.once('close', () => {
    signal.removeEventListener('abort', giveUp)
  })
  try {
    const helper = new HelperChannel(name, await openHelper(ssh, patience.channelMs))
    const gone = Promise.race([sshGone, once(helper, 'close')])
    gone.catch(() => {})
    helper.on('event', (event) => {
      deps.events.onEvent(event)
    })
    await helper.hello(patience.helloMs)
    const facts = await helper.request<HostFacts>('configure', settings.directories)
    const forward = await SocketForward.open(ssh)
    try {
      await deps.processes.call(name, forward.libvirtUri, 'list', [], CALL_TIMEOUT_MS, () => {
        forward.cut()
      })
      await helper.request('ping', {}, { timeoutMs: patience.pingMs }) // it may have died meanwhile
      signal.throwIfAborted()
    } catch (error) {
      await closeForward(end, forward)
      throw error
    }
    return { ssh, helper, forward, facts, gone }
  } catch (error) {
    ssh.destroy()
    throw error
  }
}

export async function closeForward({ name, deps }: LineEnd, forward: SocketForward): Promise<void> {
  await forward.close()
  await deps.processes.release(name, forward.libvirtUri)
}
