import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type CommandResult = { stdout: string; stderr: string; code: number }
export type CommandOptions = {
  input?: string | Buffer
  /** The command is killed after this time, and the promise rejects. */
  timeoutMs?: number
  env?: NodeJS.ProcessEnv
}

/**
 * Runs a program to its end. The code of one that a signal ended is 137, whatever the
 * signal. Rejects when it cannot be started or does not end in time.
 */
export function runCommand(argv: string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program = '', ...rest] = argv
  const { input, timeoutMs = 60_000, env } = options
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { stdio: 'pipe', ...(env ? { env } : {}) })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${argv.join(' ')} did not end within ${timeoutMs} ms`))
    }, timeoutMs)
    child.stdout.on('data', (data: Buffer) => stdout.push(data))
    child.stderr.on('data', (data: Buffer) => stderr.push(data))
    // A program may end without reading its input.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
        code: code ?? 137,
      })
    })
  })
}

/** Runs a program and gives what it printed. Rejects, with what it said, unless it exits 0. */
export async function mustRun(argv: string[], options: CommandOptions = {}): Promise<string> {
  const { stdout, stderr, code } = await runCommand(argv, options)
  if (code !== 0)
    throw new Error(`${argv.join(' ')} exited ${code}: ${stderr.trim() || stdout.trim()}`)
  return stdout
}

/** A script beside the sources; a compiled copy of this file lies elsewhere and finds it as well. */
export function fleetScript(name: string): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return join(folder, 'test', 'fleet', name)
}
