import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../test/fleet/command.js'
import { ROOT } from '../test/support/broker-process.js'

export interface ThisMachine {
  readonly date: string
  readonly commit: string
  readonly processor: string
  readonly cores: number
  readonly memoryGib: number
  readonly kernel: string
  readonly node: string
  readonly libvirt: string
  readonly qemu: string
}

const GIB = 1_073_741_824

/** Where and when a figure was taken. The commit has a `+` when the tree differs from it. */
export async function thisMachine(): Promise<ThisMachine> {
  const commit = await firstLine(['git', '-C', ROOT, 'rev-parse', '--short=12', 'HEAD'])
  const changed = await runCommand(['git', '-C', ROOT, 'status', '--porcelain'])
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: `${commit}${changed.stdout.trim() === '' ? '' : '+'}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / GIB),
    kernel: release(),
    node: process.version,
    libvirt: await firstLine(['libvirtd', '--version']),
    qemu: await firstLine(['qemu-system-x86_64', '--version']),
  }
}

/** One line that says it, for docs/speed.md. */
export function described({
  date,
  commit,
  processor,
  cores,
  memoryGib,
  kernel,
  node,
  libvirt,
  qemu,
}: ThisMachine): string {
  const version = (text: string): string => /\d+(\.\d+)+/.exec(text)?.[0] ?? 'unknown'
  return (
    `${date}, commit ${commit}; ${processor}, ${cores} cores, ${memoryGib} GiB, ${osName()}, ` +
    `Linux ${kernel}, Node ${node.slice(1)}, libvirt ${version(libvirt)}, ` +
    `QEMU ${version(qemu)} (software emulation)`
  )
}

function osName(): string {
  return (
    /^PRETTY_NAME="(.*)"$/m.exec(readFileSync(join('/etc', 'os-release'), 'utf8'))?.[1] ??
    'unknown system'
  )
}

async function firstLine(argv: string[]): Promise<string> {
  const { stdout, code } = await runCommand(argv)
  return code === 0 ? (stdout.split('\n')[0] ?? '') : 'unknown'
}
