import { readFileSync } from 'node:fs'

/** The process and those it started. */
export function withChildren(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((text) => text !== '')
    .map(Number)
  return [pid, ...children.flatMap(withChildren)]
}

export interface Memory {
  readonly rssBytes: number
  readonly pssBytes: number
}

/** proc(5): Rss counts pages that are shared with other processes as a whole, Pss each process's share of them. */
export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const kib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN)
  return { rssBytes: kib('Rss') * 1_024, pssBytes: kib('Pss') * 1_024 }
}

/**
 * Processor time that the process has used, in milliseconds (proc(5): utime and stime in ticks,
 * which are 10 ms on Linux for x86 and arm64).
 */
export function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(0)} MiB`
}
