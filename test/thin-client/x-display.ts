import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import type { Test } from 'tap'

const run = promisify(execFile)

/** A program that a test started, ended with the test. */
export function startFor(
  t: Test,
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  const child = spawn(program, [...args], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...environment },
  })
  child.on('error', (error) => t.comment(`${program}: ${error.message}`))
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGTERM'))
      await once(child, 'exit')
  })
  return child
}

/**
 * An X server without a screen of its own, with the window manager of a thin client; gives its
 * display, such as `:7`.
 */
export async function startDisplay(t: Test): Promise<string> {
  const server = startFor(t, 'Xvfb', [
    '-displayfd',
    '3',
    '-screen',
    '0',
    '1024x768x24',
    '-nolisten',
    'tcp',
  ])
  const [number] = (await once(server.stdio[3] ?? server, 'data')) as [Buffer]
  const display = `:${number.toString('utf8').trim()}`
  startFor(t, 'matchbox-window-manager', ['-use_titlebar', 'no'], { DISPLAY: display })
  return display
}

/** Photographs a display into a PNG file. */
export async function photograph(
  display: string,
  file: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  await run('import', ['-display', display, '-window', 'root', file], {
    env: { ...process.env, ...environment },
  })
}

/** The colour of one point of a picture as red, green, blue, each 0 to 255. */
export async function colourAt(
  file: string,
  x: number,
  y: number,
): Promise<[number, number, number]> {
  const channels = ['r', 'g', 'b']
    .map((channel) => `%[fx:round(255*p{${x},${y}}.${channel})]`)
    .join(' ')
  const { stdout } = await run('convert', [file, '-format', channels, 'info:'])
  const [red = 0, green = 0, blue = 0] = stdout.trim().split(' ').map(Number)
  return [red, green, blue]
}
