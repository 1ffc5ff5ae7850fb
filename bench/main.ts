/** Measures and reports; see bench/run. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from '../test/support/broker-process.js'
import { measureAsk } from './ask.js'
import { measureChannel } from './channel.js'
import { measureClaims } from './claims.js'
import { measureConsole } from './console.js'
import { measureConnections } from './connections.js'
import { measureCopy } from './copy.js'
import { measureDashboards } from './dashboards.js'
import { measureMemory } from './memory.js'
import { type BenchOptions, Places } from './places.js'
import { measurePopulate } from './populate.js'
import { type Report, textTable } from './report.js'
import { measureSoak } from './soak.js'
import { writePage } from './speed-page.js'
import { type ThisMachine, thisMachine } from './this-machine.js'
import { measureWaiting } from './waiting.js'

/** In an order in which those that share a place follow each other. */
const MEASUREMENTS: Readonly<
  Record<string, (places: Places, options: BenchOptions) => Promise<Report>>
> = {
  populate: measurePopulate,
  copy: measureCopy,
  channel: measureChannel,
  ask: measureAsk,
  console: measureConsole,
  connections: measureConnections,
  memory: measureMemory,
  waiting: measureWaiting,
  dashboards: measureDashboards,
  claims: measureClaims,
  soak: measureSoak,
}
const EXIT = { measured: 0, failed: 1, usage: 2 } as const

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function faultIn(unknown: readonly string[], runs: number, minutes: number): string | null {
  if (unknown.length > 0)
    return `${unknown.join(', ')} is not a measurement; there are ${Object.keys(MEASUREMENTS).join(', ')}.`
  if (!Number.isInteger(runs) || runs < 1) return '--runs takes a whole number from 1 on.'
  const isTime = minutes >= 1 && minutes <= 24 * 60
  return isTime ? null : '--minutes takes a number from 1 to 1440.'
}

interface Asked {
  readonly names: readonly string[]
  readonly small: boolean
  readonly runs: number
  readonly minutes: number
  readonly write: boolean
}

/** A sentence: what is wrong with the command line. */
function asked(): Asked | string {
  const { values, positionals: names } = parseArgs({
    allowPositionals: true,
    options: {
      small: { type: 'boolean', default: false },
      runs: { type: 'string', default: '5' },
      minutes: { type: 'string', default: '20' },
      write: { type: 'boolean', default: false },
    },
  })
  const { small, write } = values
  const unknown = names.filter((name) => !Object.hasOwn(MEASUREMENTS, name))
  const [runs, minutes] = [Number(values.runs), Number(values.minutes)]
  return faultIn(unknown, runs, minutes) ?? { names, small, runs, minutes, write }
}

async function main(): Promise<number> {
  const wish = asked()
  if (typeof wish === 'string') {
    process.stderr.write(`bench: ${wish}\n`)
    return EXIT.usage
  }
  const machine = await thisMachine()
  const places = new Places(say)
  mkdirSync(join(ROOT, 'bench-out'), { recursive: true })
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      void places.close().finally(() => {
        process.exit(EXIT.failed)
      })
    })
  try {
    return (await measureAll(wish, places, machine)) ? EXIT.measured : EXIT.failed
  } finally {
    await places.close()
  }
}

/** Returns whether all of them are good. */
async function measureAll(
  { names, small, runs, minutes, write }: Asked,
  places: Places,
  machine: ThisMachine,
): Promise<boolean> {
  const options = { small, runs: small ? Math.min(runs, 3) : runs, minutes, log: say }
  let failed = false
  for (const [name, measure] of Object.entries(MEASUREMENTS)) {
    // A day of work is no measurement of speed: it is run when it is asked for.
    if (names.length > 0 ? !names.includes(name) : name === 'soak') continue
    const report = await measure(places, options)
    say(`\n${textTable(report)}\n`)
    writeFileSync(
      join(ROOT, 'bench-out', `${name}.json`),
      `${JSON.stringify({ ...report, machine, small }, null, 2)}\n`,
    )
    if (write && !small) writePage(report, machine)
    failed ||= report.failed === true
  }
  return !failed
}

main().then(
  (code) => {
    process.exit(code)
  },
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(EXIT.failed)
  },
)
