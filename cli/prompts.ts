import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { CliError } from './cli-error.js'

/**
 * Asks on the terminal; true for y or yes. Without a terminal throws CliError usage, with `instead`
 * as what to give.
 */
export async function confirm(question: string, instead: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new CliError(
      'usage',
      `This needs a confirmation and there is no terminal to ask on; ${instead}.`,
    )
  const answer = await readTerminal(`${question} [y/N] `, true)
  return /^(y|yes)$/i.test(answer.trim())
}

/**
 * A secret from a file (`-`: standard input; its first line counts), or typed unseen on the
 * terminal. Throws CliError usage.
 */
export async function readSecret(
  what: string,
  file: string | undefined,
  option: string,
): Promise<string> {
  const secret = file === undefined ? await typeSecret(what, option) : firstLineOf(file, what)
  if (secret === '') throw new CliError('usage', `The ${what} is empty.`)
  return secret
}

async function typeSecret(what: string, option: string): Promise<string> {
  if (!process.stdin.isTTY)
    throw new CliError(
      'usage',
      `The ${what} is needed and there is no terminal to ask on; give ${option} FILE, ` +
        `or ${option} - for standard input.`,
    )
  return await readTerminal(`${what[0]?.toUpperCase() ?? ''}${what.slice(1)}: `, false)
}

function firstLineOf(file: string, what: string): string {
  return readTextFile(file, what).split(/\r?\n/, 1)[0] ?? ''
}

/** The whole file as text; `-` is standard input. Throws CliError usage. */
export function readTextFile(file: string, what: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (cause) {
    const reason =
      cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
        ? 'does not exist'
        : 'cannot be read'
    throw new CliError('usage', `The file ${file} for the ${what} ${reason}.`, [], { cause })
  }
}

async function readTerminal(question: string, echo: boolean): Promise<string> {
  process.stderr.write(question)
  const unseen = new Writable({
    write: (_chunk, _encoding, done) => {
      done()
    },
  })
  const lines = createInterface({
    input: process.stdin,
    output: echo ? process.stderr : unseen,
    terminal: !echo,
  })
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve)
      lines.once('SIGINT', () => {
        reject(new CliError('interrupted', 'Interrupted; nothing was done.'))
      })
      lines.once('close', () => {
        reject(new CliError('usage', 'No answer was given; nothing was done.'))
      })
    })
  } finally {
    lines.removeAllListeners('close').close()
    process.stdin.pause()
    if (!echo) process.stderr.write('\n')
  }
}
