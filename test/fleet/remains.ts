import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { until } from '../support/until.js'
import { processesIn } from './processes.js'

export type Remains = { processes: number[]; mounts: string[]; cards: string[]; folder: boolean }

export const nothing: Remains = { processes: [], mounts: [], cards: [], folder: false }

const goneTimeoutMs = 20_000

/** What is left of a fleet, for a test to compare with `nothing`; waits for a while until that is so. */
export async function remainsOf(
  bridge: string,
  folder: string,
  namespaces: string[],
): Promise<Remains> {
  try {
    await until(
      () => JSON.stringify(look(bridge, folder, namespaces)) === JSON.stringify(nothing),
      {
        withinMs: goneTimeoutMs,
        what: 'the fleet has gone',
      },
    )
    return nothing
  } catch {
    return look(bridge, folder, namespaces)
  }
}

function look(bridge: string, folder: string, namespaces: string[]): Remains {
  const cables = new RegExp(`^b${bridge.slice('berth'.length)}[hd]\\d+$`)
  return {
    processes: namespaces.flatMap(processesIn),
    mounts: readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(folder)),
    cards: readdirSync('/sys/class/net').filter((card) => card === bridge || cables.test(card)),
    folder: existsSync(folder),
  }
}
