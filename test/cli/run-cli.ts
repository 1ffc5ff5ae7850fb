import { build } from 'esbuild'
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../support/until.js'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}
export interface Running {
  readonly process: ChildProcess
  readonly seen: () => string
  readonly ended: Promise<Ended>
}
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly terminal?: boolean
}

/** The compiled `berth`, in a folder of its own that is also HOME and the first place in PATH for stand-in programs. */
export class CliUnderTest {
  private constructor(readonly folder: string) {}

  /** Compiles cli/main.ts as it is now. The folder lies inside the project, so that the libraries are found. */
  static async compile(): Promise<CliUnderTest> {
    mkdirSync(join(process.cwd(), '.tap'), { recursive: true })
    const folder = mkdtempSync(join(process.cwd(), '.tap', 'cli-'))
    mkdirSync(join(folder, 'bin'))
    await build({
      entryPoints: ['cli/main.ts'],
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      outfile: join(folder, 'berth.mjs'),
      logLevel: 'error',
    })
    return new CliUnderTest(folder)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  file(name: string, text: string, mode = 0o600): string {
    const path = join(this.folder, name)
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }

  /** With `terminal`, runs under script(1), whose terminal shows standard output and error together, here as stdout. */
  start(words: readonly string[], options: RunOptions = {}): Running {
    const argv = [process.execPath, join(this.folder, 'berth.mjs'), ...words]
    const [program, ...rest] =
      options.terminal === true
        ? [
            'script',
            '-qec',
            argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' '),
            '/dev/null',
          ]
        : argv
    const env = {
      PATH: `${join(this.folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: this.folder,
      XDG_CONFIG_HOME: join(this.folder, 'config'),
      TERM: 'xterm',
      ...options.env,
    }
    const child = spawn(program ?? '', rest, { env })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    if (options.input !== undefined) child.stdin.end(options.input)
    else if (options.terminal !== true) child.stdin.end()
    const ended = new Promise<Ended>((resolve) => {
      child.once('close', (code) => {
        resolve({ code, stdout, stderr })
      })
    })
    return { process: child, seen: () => stdout + stderr, ended }
  }

  async run(words: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return await this.start(words, options).ended
  }

  /** Runs on a terminal and types each answer when its question is seen. */
  async talk(
    words: readonly string[],
    answers: ReadonlyArray<readonly [question: RegExp, answer: string]>,
    options: RunOptions = {},
  ): Promise<Ended> {
    const running = this.start(words, { ...options, terminal: true })
    let from = 0
    for (const [question, typed] of answers) {
      await until(() => question.test(running.seen().slice(from)), {
        withinMs: 20_000,
        what: `${String(question)} on the terminal: ${running.seen()}`,
      })
      from = running.seen().length
      running.process.stdin?.write(`${typed}\r`)
    }
    return await running.ended
  }
}
