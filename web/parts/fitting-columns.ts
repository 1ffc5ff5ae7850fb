/** What is needed of a column to know how much room it takes. */
interface Fitting {
  readonly name: string
  /** A CSS grid track: `9rem`, or `minmax(6rem, 2fr)`; a share of what is left when absent. */
  readonly width?: string
  /** Left out where there is little room. */
  readonly wideOnly?: boolean
  /** Of those that may be left out, the highest goes first; among equals, the one at the right. */
  readonly rank?: number
}

/** All in rem; the same figures stand in data-table.css. */
export const GAP = 0.75
const PADDING = 1.5
export const CHECKBOX = 1.75
export const ACTIONS = 2.75
const USUAL_LEAST = 5
/** The mark of the order beside a head. */
const ORDER_MARK = 1.4
/** A longer head is cut rather than wider. */
const WIDEST_HEAD = 13
/** How wide a head's words are. */
export type Measure = (text: string) => number

/** How narrow a column may become: as its track says, but never so that its head is cut. */
export function leastOf({ name, width = '' }: Fitting, measure: Measure): number {
  const said = /([\d.]+)rem/.exec(width)?.[1]
  return Math.max(
    said === undefined ? USUAL_LEAST : Number(said),
    Math.min(WIDEST_HEAD, measure(name) + ORDER_MARK),
  )
}

export function trackOf(column: Fitting, measure: Measure): string {
  const share = column.width === undefined ? '1' : /([\d.]+)fr/.exec(column.width)?.[1]
  const least = leastOf(column, measure)
  return share === undefined ? `${least}rem` : `minmax(${least}rem, ${share}fr)`
}

/** The width that a row needs at least, with what stands at its ends. */
export function leastRow(
  columns: readonly Fitting[],
  ends: readonly number[],
  measure: Measure,
): number {
  const parts = [...ends, ...columns.map((column) => leastOf(column, measure))]
  return PADDING + GAP * (parts.length - 1) + parts.reduce((sum, part) => sum + part, 0)
}

/** The columns that have room; those that must be there stay, whatever the room. */
export function fittingColumns<T extends Fitting>(
  columns: readonly T[],
  ends: readonly number[],
  room: number,
  measure: Measure,
): readonly T[] {
  const kept = [...columns]
  while (leastRow(kept, ends, measure) > room) {
    const worst = kept.reduce(
      (found, column, index) =>
        column.wideOnly === true && (found < 0 || (column.rank ?? 0) >= (kept[found]?.rank ?? 0))
          ? index
          : found,
      -1,
    )
    if (worst < 0) break
    kept.splice(worst, 1)
  }
  return kept
}
