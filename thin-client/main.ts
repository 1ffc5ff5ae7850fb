import { createWriteStream } from 'node:fs'
import { isatty } from 'node:tty'
import { Agent } from './agent.js'
import { EXIT, HELP, type RunCommand, parseCommandLine } from './command-line.js'
import { VERSION } from './device.js'
import { logTo } from './log.js'
import { screenOn } from './screen.js'
import { SYSTEM_FILES } from './setup.js'
import { relayTerminal } from './terminal-relay.js'

const CONTROL_C = '\u0003'

async function main(): Promise<number> {
  const command = parseCommandLine(process.argv.slice(2))
  switch (command.kind) {
    case 'help':
      process.stdout.write(HELP)
      return EXIT.ok
    case 'version':
      process.stdout.write(`${VERSION}\n`)
      return EXIT.ok
    case 'wrong':
      process.stderr.write(`${command.sentence}\n`)
      return EXIT.usage
    case 'terminal':
      await relayTerminal(command.path)
      return EXIT.ok
    case 'run':
      return await run(command)
  }
}

async function run(command: RunCommand): Promise<number> {
  const log = logTo((line) => process.stderr.write(line), process.env.JOURNAL_STREAM !== undefined)
  const output =
    command.consolePath === undefined ? process.stdout : createWriteStream(command.consolePath)
  // A terminal that went away, or a log that is not read any more, is no reason to end.
  output.on('error', () => undefined)
  process.stderr.on('error', () => undefined)
  const terminal =
    command.consolePath === undefined ? isatty(1) : command.consolePath.startsWith('/dev/')
  const screen = screenOn((text) => output.write(text), terminal)
  const agent = new Agent({
    command,
    environment: process.env,
    files: SYSTEM_FILES,
    screen,
    log,
    random: Math.random,
  })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => agent.stop())
  process.on('uncaughtException', (error) => {
    log('error', `A fault of the agent itself: ${error.stack ?? error.message}`)
    process.exitCode = EXIT.internal
    agent.stop()
  })
  listenToKeyboard(
    () => agent.stop(),
    (keys) => agent.type(keys),
  )
  log('info', `berth-thin-client ${VERSION} started.`)
  const ok = await agent.run()
  if (terminal) output.write('\u001b[?25h')
  return process.exitCode === undefined || process.exitCode === 0
    ? ok
      ? EXIT.ok
      : EXIT.viewerFailed
    : EXIT.internal
}

/**
 * Keys that nobody waits for must neither spoil the page nor, as Ctrl-S does, stop the terminal and
 * with it the agent.
 */
function listenToKeyboard(stop: () => void, type: (keys: string) => void): void {
  if (!process.stdin.isTTY) return
  process.stdin.on('error', () => undefined)
  process.stdin.setRawMode(true)
  process.stdin.setEncoding('utf8').on('data', (keys: Buffer | string) => {
    if (String(keys).includes(CONTROL_C)) stop()
    else type(String(keys))
  })
}

process.exit(await main())
