import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { BrokerError, refusal } from '../errors/broker-error.js'
import type { LibvirtAnswer, LibvirtCall } from './libvirt-process.js'

interface Waiting {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/** After its socket was closed a native call ends by itself; one that does not costs the process. */
const END_AFTER_CUT_MS = 3_000
const RELEASE_WITHIN_MS = 10_000
/**
 * Threads for blocking calls in one process (https://docs.libuv.org/en/v1.x/threadpool.html): a
 * stuck host holds one, the others go on.
 */
const THREADS = '16'

/** A few child processes that share the hypervisors; each hypervisor's calls go to one of them. */
export class LibvirtProcesses {
  readonly #processes: Array<LibvirtProcess | undefined>

  constructor(count: number) {
    this.#processes = Array.from({ length: count }, () => undefined)
  }

  /**
   * One call to the libvirt behind `uri`. `cut` closes its socket when `timeoutMs` passes.
   * Rejects with `hypervisor_refused` (libvirt's own words), `timeout`, or `hypervisor_unreachable`.
   */
  async call(
    hypervisor: string,
    uri: string,
    method: LibvirtCall['method'],
    args: readonly string[],
    timeoutMs: number,
    cut: () => void,
  ): Promise<unknown> {
    const slot = slotOf(hypervisor, this.#processes.length)
    let process = this.#processes[slot]
    if (!process?.alive) {
      process = new LibvirtProcess()
      this.#processes[slot] = process
    }
    return await process.call(hypervisor, { uri, method, args }, timeoutMs, cut)
  }

  /** Closes the native connection behind `uri`, whose socket is closed already; a process that cannot is replaced. */
  async release(hypervisor: string, uri: string): Promise<void> {
    const process = this.#processes[slotOf(hypervisor, this.#processes.length)]
    if (process?.alive !== true) return
    await process
      .call(hypervisor, { uri, method: 'close', args: [] }, RELEASE_WITHIN_MS, () => {})
      .catch(() => {}) // what is left of it ends with the process
  }

  stop(): void {
    for (const process of this.#processes) process?.kill()
  }
}

function slotOf(name: string, slots: number): number {
  return [...name].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 65_521, 7) % slots
}

class LibvirtProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #next = 1
  alive = true

  constructor() {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    this.#child = fork(
      fileURLToPath(new URL(`./libvirt-process.${extension}`, import.meta.url)),
      [],
      {
        // libvirt's words are shown to people; they are English as ours.
        env: { ...process.env, UV_THREADPOOL_SIZE: THREADS, LC_ALL: 'C' },
        execArgv: [...process.execArgv, '--expose-gc'],
        serialization: 'advanced',
      },
    )
    this.#child.on('message', (answer: LibvirtAnswer) => {
      this.#answer(answer)
    })
    this.#child.on('exit', () => {
      this.#gone()
    })
    this.#child.on('error', () => {
      this.#gone()
    })
    this.#child.unref()
    this.#child.channel?.unref()
  }

  async call(
    hypervisor: string,
    call: Omit<LibvirtCall, 'id'>,
    timeoutMs: number,
    cut: () => void,
  ): Promise<unknown> {
    const id = this.#next++
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#late(id, hypervisor, call.method, timeoutMs, cut)
      }, timeoutMs)
      this.#child.channel?.ref()
      this.#waiting.set(id, {
        resolve,
        reject: (error) => {
          reject(named(error, hypervisor))
        },
        timer,
      })
      this.#child.send({ id, ...call }, (error) => {
        if (error) this.#gone()
      })
    })
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #late(id: number, hypervisor: string, method: string, timeoutMs: number, cut: () => void): void {
    const waiting = this.#waiting.get(id)
    if (!waiting) return
    cut()
    const last = setTimeout(() => {
      this.kill()
    }, END_AFTER_CUT_MS)
    this.#waiting.set(id, { resolve: () => {}, reject: () => {}, timer: last })
    waiting.reject(
      refusal('libvirt_late', { hypervisor, operation: method, seconds: timeoutMs / 1000 }),
    )
  }

  #answer({ id, result, error, fault }: LibvirtAnswer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (this.#waiting.size === 0) this.#child.channel?.unref()
    if (!waiting) return
    clearTimeout(waiting.timer)
    if (error === undefined) waiting.resolve(result)
    else waiting.reject(new LibvirtFault(error, fault ?? 'refused'))
  }

  #gone(): void {
    this.alive = false
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer)
      waiting.reject(refusal('libvirt_process_ended'))
    }
    this.#waiting.clear()
  }
}

class LibvirtFault extends Error {
  constructor(
    message: string,
    readonly fault: NonNullable<LibvirtAnswer['fault']>,
  ) {
    super(message)
  }
}

function named(error: Error, hypervisor: string): BrokerError {
  if (error instanceof BrokerError) return error
  const fault = error instanceof LibvirtFault ? error.fault : 'refused'
  if (fault === 'foreign')
    return refusal('libvirt_foreign', { hypervisor, said: error.message }, { cause: error })
  return fault === 'lost'
    ? refusal('libvirt_line_lost', { hypervisor, said: error.message }, { cause: error })
    : refusal('libvirt_refused', { hypervisor, said: error.message }, { cause: error })
}
