import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import type { Change, Topic } from '../broker/api/live.js'

/**
 * What the Overview and the Machines page ask for, and the topics of which a change makes them ask
 * again (web/overview, web/machines).
 */
export const ASKED: Readonly<Record<string, readonly Topic[]>> = {
  '/machines': ['machines'],
  '/hypervisors': ['hypervisors', 'machines'],
  '/pools': ['pools', 'machines', 'desktops', 'generations'],
  '/desktops': ['desktops', 'sessions'],
  '/thin-clients': ['thin-clients'],
  '/jobs?limit=20': ['jobs'],
  '/history?span=day': ['history'],
}
/**
 * web/api/live.ts: a path is asked for again no sooner than this after its last answer, and no
 * sooner than so many times what that took.
 */
const LEAST_GAP_MS = 500
const GAP_TIMES = 5
/** As browsers do for one page. */
const MOST_CONNECTIONS = 6
const POLL_MS = 5_000

export interface PageOptions {
  readonly url: string
  readonly ca: string
  readonly cookie: string
}
/** An answer that came whole, by performance.now(). */
export interface Load {
  readonly askedMs: number
  readonly endMs: number
}
interface Kept {
  tookMs: number
  updatedMs: number
  due: NodeJS.Timeout | undefined
  asked: AbortController | undefined
  mark: string | undefined
}

/**
 * One open page, by its requests (with what it has already, as web/api/queries.ts): it asks for
 * everything once, and then again when it is told, or again and again by time.
 */
export class DashboardPage {
  /** Bytes of bodies, as they are sent, and of the event stream. */
  bytes = 0
  questions = 0
  /** Questions that were given up for a newer one. */
  givenUp = 0
  faults = 0
  readonly machineLoads: Load[] = []
  readonly #agent: Agent
  readonly #kept = new Map<string, Kept>()
  #ended = new AbortController()

  constructor(readonly options: PageOptions) {
    this.#agent = new Agent({ keepAlive: true, ca: options.ca, maxSockets: MOST_CONNECTIONS })
  }

  /** The first load; all at once, as a browser asks. */
  async load(): Promise<void> {
    await Promise.all(
      Object.keys(ASKED).map(async (path) => {
        await this.#look(path)
      }),
    )
  }

  /** From now on it is kept true by push. Done when the stream stands. */
  async follow(): Promise<void> {
    const stream = await this.#open('/live', 'text/event-stream', this.#ended.signal)
    let rest = ''
    stream.on('error', () => {
      this.#lost()
    })
    stream.on('end', () => {
      this.#lost()
    })
    stream.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length
      const events = (rest + chunk.toString('utf8')).split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) this.#hear(event)
    })
  }

  /**
   * The alternative: everything again every five seconds, the pages spread over that time. `share`
   * 0 to 1: when in it.
   */
  poll(share: number): void {
    const again = (path: string, waitMs: number): void => {
      this.#keptOf(path).due = setTimeout(() => {
        again(path, POLL_MS)
        void this.#look(path)
      }, waitMs)
    }
    for (const path of Object.keys(ASKED)) again(path, share * POLL_MS)
  }

  /** Ends following and polling; what is kept alive stays. */
  rest(): void {
    this.#ended.abort()
    this.#ended = new AbortController()
    for (const kept of this.#kept.values()) {
      clearTimeout(kept.due)
      kept.due = undefined
      kept.asked?.abort()
    }
  }

  close(): void {
    this.rest()
    this.#agent.destroy()
  }

  #lost(): void {
    if (!this.#ended.signal.aborted) this.faults += 1
  }

  #hear(event: string): void {
    const [, data] = /^event: change\ndata: (.*)$/m.exec(event) ?? []
    if (data === undefined) return
    const { topics } = JSON.parse(data) as Change
    for (const [path, shown] of Object.entries(ASKED))
      if (shown.some((topic) => topics.includes(topic))) this.#schedule(path)
  }

  /** As `schedule` of web/api/live.ts. */
  #schedule(path: string): void {
    const kept = this.#keptOf(path)
    if (kept.due !== undefined) return
    const gapMs = Math.max(LEAST_GAP_MS, GAP_TIMES * kept.tookMs)
    kept.due = setTimeout(
      () => {
        kept.due = undefined
        void this.#look(path)
      },
      Math.max(0, kept.updatedMs + gapMs - performance.now()),
    )
  }

  #keptOf(path: string): Kept {
    const kept = this.#kept.get(path) ?? {
      tookMs: 0,
      updatedMs: -Infinity,
      due: undefined,
      asked: undefined,
      mark: undefined,
    }
    this.#kept.set(path, kept)
    return kept
  }

  /** Asks; a question that is still open is given up for it. */
  async #look(path: string): Promise<void> {
    const kept = this.#keptOf(path)
    kept.asked?.abort()
    const asked = new AbortController()
    kept.asked = asked
    const askedMs = performance.now()
    this.questions += 1
    try {
      const answer = await this.#open(path, 'application/json', asked.signal, kept.mark)
      for await (const chunk of answer) this.bytes += (chunk as Buffer).length
      if (answer.statusCode === 200) kept.mark = answer.headers.etag
      else if (answer.statusCode !== 304) this.faults += 1
      kept.updatedMs = performance.now()
      if (path === '/machines') this.machineLoads.push({ askedMs, endMs: kept.updatedMs })
    } catch {
      if (asked.signal.aborted) this.givenUp += 1
      else this.faults += 1
    } finally {
      kept.tookMs = performance.now() - askedMs
      if (kept.asked === asked) kept.asked = undefined
    }
  }

  async #open(
    path: string,
    accept: string,
    signal: AbortSignal,
    mark?: string,
  ): Promise<IncomingMessage> {
    const { url, cookie } = this.options
    return await new Promise((resolve, reject) => {
      request(
        `${url}/api/v1${path}`,
        {
          agent: this.#agent,
          signal,
          headers: {
            accept,
            cookie,
            'accept-encoding': 'gzip',
            'x-berth-background': '1',
            ...(mark === undefined ? {} : { 'if-none-match': mark }),
          },
        },
        resolve,
      )
        .on('error', reject)
        .end()
    })
  }
}
