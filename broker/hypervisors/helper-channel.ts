import { EventEmitter, once } from 'node:events'
import type { Duplex } from 'node:stream'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import type { HelperEvent } from '../events/map.js'

export interface RequestOptions {
  /** Journal id on the host: a replay returns the first answer. */
  readonly operation?: string
  readonly fence?: number
  readonly signal?: AbortSignal
  /** Default 30 s; 0: no limit but the line's own. */
  readonly timeoutMs?: number
  readonly onProgress?: (progress: { phase: string; done: number; total: number }) => void
  readonly onItem?: (item: BatchItem) => void
}

/** One result of a batch. */
export interface BatchItem {
  readonly name: string
  readonly ok: boolean
  readonly error?: { code: string; message: string }
  readonly [field: string]: unknown
}

interface Pending {
  readonly resolve: (result: never) => void
  readonly reject: (error: Error) => void
  readonly options: RequestOptions
  readonly stopWaiting: () => void
}

const DEFAULT_TIMEOUT_MS = 30_000
const LONGEST_LINE_BYTES = 16 * 1024 * 1024

/** What the helper's error codes are called here. */
const REASONS_OF_HELPERS = {
  not_found: 'host_has_none',
  exists: 'host_has_one',
  foreign: 'host_has_foreign',
  hidden: 'host_display_hidden',
  in_use: 'host_file_in_use',
  no_space: 'host_full',
  bad_image: 'host_image_bad',
  cancelled: 'host_cancelled',
  timeout: 'host_late',
} as const

/** JSON lines to the helper of one hypervisor. Emits `event` (HelperEvent) and, once, `close`. */
export class HelperChannel extends EventEmitter<{ event: [HelperEvent]; close: [] }> {
  readonly #pending = new Map<string, Pending>()
  #next = 1
  #rest: Buffer[] = []
  #restBytes = 0
  readonly #gone = new AbortController()
  #closed = false

  constructor(
    readonly hypervisor: string,
    readonly stream: Duplex,
  ) {
    super()
    stream.on('data', (chunk: Buffer) => {
      this.#take(chunk)
    })
    stream.on('error', () => {
      this.#close()
    })
    stream.on('close', () => {
      this.#close()
    })
  }

  /** Gives up at once what is waited for. */
  close(): void {
    this.#close()
  }

  /** The helper's first line. Throws when none comes in time, or when it speaks another protocol. */
  async hello(timeoutMs: number): Promise<{ version: string }> {
    const [line] = (await once(this, 'hello', {
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#gone.signal]),
    }).catch((cause: unknown) => {
      throw refusal('helper_silent', { hypervisor: this.hypervisor }, { cause })
    })) as unknown as [{ protocol?: number; version?: string }]
    if (line.protocol !== 1)
      throw refusal('helper_of_other_berth', {
        hypervisor: this.hypervisor,
        protocol: String(line.protocol),
      })
    return { version: line.version ?? 'unknown' }
  }

  /**
   * One request; rejects with a BrokerError. `hypervisor_unreachable` and `timeout` mean that what
   * happened on the host is unknown.
   */
  async request<T>(op: string, args: object, options: RequestOptions = {}): Promise<T> {
    if (this.#closed) throw this.#lost()
    if (options.signal?.aborted) throw refusal('operation_cancelled')
    const id = `r${this.#next++}`
    const { operation, fence } = options
    return await new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, options, stopWaiting: this.#watch(id, op, options) })
      this.stream.write(`${JSON.stringify({ id, op, args, operation, fence })}\n`)
    })
  }

  #watch(id: string, op: string, options: RequestOptions): () => void {
    const cancel = (): void => {
      this.#tell({ op: 'cancel', args: { request: id } })
    }
    options.signal?.addEventListener('abort', cancel)
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    const timer =
      timeoutMs === 0
        ? undefined
        : setTimeout(() => {
            cancel()
            this.#settle(id, (pending) => {
              pending.reject(
                refusal('helper_late', {
                  hypervisor: this.hypervisor,
                  operation: op,
                  seconds: timeoutMs / 1000,
                }),
              )
            })
          }, timeoutMs)
    return () => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', cancel)
    }
  }

  #tell(message: object): void {
    if (!this.#closed)
      this.stream.write(`${JSON.stringify({ id: `c${this.#next++}`, ...message })}\n`)
  }

  #settle(id: string, settle: (pending: Pending) => void): void {
    const pending = this.#pending.get(id)
    if (!pending) return
    this.#pending.delete(id)
    pending.stopWaiting()
    settle(pending)
  }

  #take(chunk: Buffer): void {
    let from = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      this.#rest.push(chunk.subarray(from, end))
      this.#line(Buffer.concat(this.#rest).toString('utf8'))
      this.#rest = []
      this.#restBytes = 0
      from = end + 1
    }
    if (from >= chunk.length) return
    this.#rest.push(chunk.subarray(from))
    this.#restBytes += chunk.length - from
    if (this.#restBytes > LONGEST_LINE_BYTES) this.stream.destroy()
  }

  #line(text: string): void {
    let line: Record<string, unknown>
    try {
      line = JSON.parse(text) as Record<string, unknown>
    } catch {
      return // a banner or a warning of the login, not ours
    }
    if ('hello' in line) this.emit('hello' as 'event', line as unknown as HelperEvent)
    else if ('event' in line) this.emit('event', line as unknown as HelperEvent)
    else this.#reply(String(line['id']), line)
  }

  #reply(id: string, line: Record<string, unknown>): void {
    const pending = this.#pending.get(id)
    if (!pending) return
    if (line['progress'])
      pending.options.onProgress?.(
        line['progress'] as { phase: string; done: number; total: number },
      )
    else if (line['item']) pending.options.onItem?.(line['item'] as BatchItem)
    else if (line['ok'] === true)
      this.#settle(id, (p) => {
        p.resolve(line['result'] as never)
      })
    else
      this.#settle(id, (p) => {
        p.reject(errorOf(this.hypervisor, line['error']))
      })
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#gone.abort()
    for (const id of [...this.#pending.keys()])
      this.#settle(id, (pending) => {
        pending.reject(this.#lost())
      })
    this.emit('close')
  }

  #lost(): BrokerError {
    return refusal('line_lost', { hypervisor: this.hypervisor })
  }
}

/** A helper's error as ours; the sentence names the hypervisor. */
export function errorOf(hypervisor: string, error: unknown): BrokerError {
  const { code = 'internal', message = 'no reason given' } = (error ?? {}) as {
    code?: string
    message?: string
  }
  return refusal(
    isKnown(code) ? REASONS_OF_HELPERS[code] : 'host_refused',
    { hypervisor, said: message },
    { cause: error },
  )
}

function isKnown(code: string): code is keyof typeof REASONS_OF_HELPERS {
  return Object.hasOwn(REASONS_OF_HELPERS, code)
}
