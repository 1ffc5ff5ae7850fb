/** One comparison. `ratio` is Berth's figure by the other side's, null where there is no other side. */
export interface Comparison {
  readonly what: string
  readonly berth: string
  readonly otherSide: string
  readonly ratio: number | null
  readonly target: string
  /** null: shown for information, without a target. */
  readonly met: boolean | null
}

export interface Report {
  readonly name: string
  readonly title: string
  readonly comparisons: readonly Comparison[]
  /** How it was measured, in a sentence or two. */
  readonly note: string
  /** Every single figure, for the JSON. */
  readonly samples: Readonly<Record<string, readonly number[] | number>>
  /** It is there to find a fault, and has found one: the run ends with exit code 1. */
  readonly failed?: boolean
}

const HEADINGS = ['measured', 'Berth', 'the other side', 'ratio', 'target', 'met'] as const

function cellsOf({ what, berth, otherSide, ratio, target, met }: Comparison): string[] {
  return [
    what,
    berth,
    otherSide,
    ratio === null ? '' : ratio.toFixed(2),
    target,
    met === null ? '' : met ? 'yes' : 'no',
  ]
}

/** For a terminal: columns under their headings. */
export function textTable(report: Report): string {
  const rows = [[...HEADINGS], ...report.comparisons.map(cellsOf)]
  const widths = HEADINGS.map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [report.title, ...lines, report.note].join('\n')
}

/** For docs/speed.md. */
export function markdownTable(report: Report): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(HEADINGS),
    line(HEADINGS.map(() => '---')),
    ...report.comparisons.map((comparison) => line(cellsOf(comparison))),
  ].join('\n')
}

/** The value below which `share` (0 to 1) of the values lie: the nearest rank. Throws for no values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const value =
    sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]
  if (value === undefined) throw new Error('there are no values to take a quantile of')
  return value
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Three significant digits are as much as such a figure is worth. */
export function milliseconds(ms: number): string {
  return ms >= 1_000 ? `${(ms / 1_000).toFixed(2)} s` : `${Number(ms.toPrecision(3))} ms`
}
