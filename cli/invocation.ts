import type { Job } from '../broker/api/jobs.js'
import { BrokerClient } from './broker-client.js'
import { brokerTarget } from './configuration.js'
import { EXIT_CODES, type ExitName } from './exit-codes.js'
import { exitOfJobs, followJobs } from './follow-job.js'
import { endLine, troubles } from './job-progress.js'
import { Output, type OutputFormat } from './output.js'
import { plainLine } from './plain-text.js'

/** What every command works with: the broker, the result's form, and words to the person at the terminal. */
export class Invocation {
  #client: BrokerClient | null = null

  /** `format` is asked late: it is known only after the command line has been read. */
  constructor(readonly format: () => OutputFormat) {}

  /** Throws CliError forbidden when nobody is logged in. */
  get client(): BrokerClient {
    this.#client ??= new BrokerClient(
      brokerTarget(process.env, (text) => {
        this.say(text)
      }),
    )
    return this.#client
  }

  get output(): Output {
    return new Output(this.format(), process.stdout)
  }

  /** One safe line on standard error. */
  say(text: string): void {
    process.stderr.write(`${plainLine(text)}\n`)
  }

  end(exit: ExitName): void {
    process.exitCode = EXIT_CODES[exit].code
  }

  /**
   * The end of every command that made a job: follows it and shows how it ended, or with
   * `--no-wait` (`wait` false) shows `answer` at once, the bare id for people. `answer` is also
   * shown when no job was needed.
   */
  async finishJob(answer: unknown, id: string | null, wait: boolean): Promise<void> {
    if (id === null) {
      this.output.show(answer, () => 'Done; no job was needed.')
    } else if (wait) {
      this.showEnded(await followJobs(this.client, [id]))
    } else {
      this.output.show(answer, () => plainLine(id))
    }
  }

  /** One job is shown as itself, several as a JobList. Sets the exit code. */
  showEnded(jobs: readonly Job[], exit: ExitName = exitOfJobs(jobs)): void {
    this.output.show(jobs.length === 1 ? jobs[0] : { jobs }, () =>
      jobs.flatMap((job) => [endLine(job), ...troubles(job)]).join('\n'),
    )
    this.end(exit)
  }
}
