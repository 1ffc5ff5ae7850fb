#!/usr/bin/env node
import { CommanderError } from 'commander'
import { CliError, sentenceOf } from './cli-error.js'
import { EXIT_CODES } from './exit-codes.js'
import { buildProgram } from './program.js'
import { reportError } from './report-error.js'

/** Runs the command line and gives the exit code, or null when the command has set it itself. */
async function run(): Promise<number | null> {
  try {
    await buildProgram().parseAsync()
    return null
  } catch (error) {
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? EXIT_CODES.ok.code : EXIT_CODES.usage.code
    const shown =
      error instanceof CliError
        ? error
        : new CliError('refused', `A fault of this program: ${sentenceOf(error)}`)
    reportError(shown)
    return shown.exitCode
  }
}

/* `berth machine list | head -1`: the reader has seen enough. */
process.stdout.on('error', () => {
  process.exit(EXIT_CODES.ok.code)
})
const code = await run()
if (code !== null) process.exitCode = code
