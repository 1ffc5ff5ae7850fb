import { MultiBar, type SingleBar } from 'cli-progress'
import type { Job, JobTarget } from '../broker/api/jobs.js'
import { changesOf, targetLine } from './job-progress.js'
import { plainLine } from './plain-text.js'

/**
 * Shows jobs while they run. `update` takes the newest picture of one job; `note` shows a line in
 * between; `end` leaves the terminal in order.
 */
export interface JobDisplay {
  update: (job: Job) => void
  note: (text: string) => void
  end: () => void
}

/** Bars on a terminal, lines elsewhere. Always on standard error: standard output is for results. */
export function jobDisplay(stream: NodeJS.WriteStream): JobDisplay {
  return stream.isTTY ? new JobBars(stream) : new JobLines(stream)
}

export class JobLines implements JobDisplay {
  readonly #jobs = new Map<string, Job>()

  constructor(readonly stream: NodeJS.WritableStream) {}

  update(job: Job): void {
    for (const line of changesOf(this.#jobs.get(job.id), job)) this.note(line)
    this.#jobs.set(job.id, job)
  }

  note(text: string): void {
    this.stream.write(`${text}\n`)
  }

  end(): void {
    this.#jobs.clear()
  }
}

/** More bars than this scroll off a small terminal. */
const MOST_BARS = 8
const FORMAT = '{name} [{bar}] {percentage} % {what}'
interface Shown {
  readonly key: string
  readonly target: JobTarget
}

export class JobBars implements JobDisplay {
  readonly #jobs = new Map<string, Job>()
  readonly #bars = new Map<string, SingleBar>()
  readonly #screen: MultiBar
  readonly #overall: SingleBar

  constructor(stream: NodeJS.WriteStream) {
    this.#screen = new MultiBar({
      stream,
      format: FORMAT,
      barsize: 24,
      hideCursor: true,
      forceRedraw: true,
      stopOnComplete: false,
      clearOnComplete: false,
      barCompleteChar: '#',
      barIncompleteChar: '.',
      gracefulExit: false,
      autopadding: true,
    })
    this.#overall = this.#screen.create(1, 0, { name: 'all'.padEnd(20), what: 'waiting' })
  }

  update(job: Job): void {
    const before = this.#jobs.get(job.id)
    this.#jobs.set(job.id, job)
    for (const target of job.targets) {
      const old = before?.targets.find((candidate) => candidate.name === target.name)
      if (target.state !== old?.state && ['failed', 'skipped', 'cancelled'].includes(target.state))
        this.note(targetLine(target))
    }
    this.#draw()
  }

  note(text: string): void {
    this.#screen.log(`${text}\n`)
  }

  end(): void {
    for (const bar of this.#bars.values()) this.#screen.remove(bar)
    this.#screen.update()
    this.#screen.stop()
  }

  #draw(): void {
    const jobs = [...this.#jobs.values()]
    const running = jobs
      .flatMap((job) =>
        job.targets
          .filter((target) => target.state === 'running')
          .map((target) => ({ key: `${job.id}/${target.name}`, target })),
      )
      .slice(0, MOST_BARS)
    for (const [key, bar] of this.#bars) {
      if (running.some((shown) => shown.key === key)) continue
      this.#screen.remove(bar)
      this.#bars.delete(key)
    }
    for (const shown of running) this.#drawTarget(shown)
    const total = jobs.reduce((sum, job) => sum + job.total, 0)
    this.#overall.setTotal(Math.max(total, 1))
    this.#overall.update(
      jobs.reduce((sum, job) => sum + job.done, 0),
      {
        what: `${jobs.length === 1 ? (jobs[0]?.state ?? '') : `${jobs.length} jobs`}, ${total} in all`,
      },
    )
  }

  #drawTarget({ key, target }: Shown): void {
    const bar =
      this.#bars.get(key) ??
      this.#screen.create(1, 0, { name: plainLine(target.name).slice(0, 20).padEnd(20), what: '' })
    this.#bars.set(key, bar)
    bar.setTotal(Math.max(target.total, 1))
    bar.update(target.done, {
      what: plainLine([target.step, target.message].filter((part) => part !== '').join(': ')).slice(
        0,
        40,
      ),
    })
  }
}
