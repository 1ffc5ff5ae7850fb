/** A line that stays, goes or comes. */
export interface DiffLine {
  readonly kind: 'same' | 'gone' | 'new'
  readonly text: string
  /** In the text that it is of, from 1. */ readonly line: number
}

/**
 * Where the middle is larger than this, it is shown as gone and new as a whole: a finer answer
 * would keep the page busy.
 */
const MOST_CELLS = 4_000_000

/**
 * What changes line by line, with the longest common part kept (a table of lengths, after the equal
 * beginning and end are set aside).
 */
export function lineDiff(before: string, after: string): DiffLine[] {
  const [old, now] = [before.split('\n'), after.split('\n')]
  let head = 0
  while (head < old.length && head < now.length && old[head] === now[head]) head++
  let tail = 0
  while (
    tail < old.length - head &&
    tail < now.length - head &&
    old[old.length - 1 - tail] === now[now.length - 1 - tail]
  )
    tail++
  const same = (from: number, to: number): DiffLine[] =>
    now.slice(from, to).map((text, index) => ({ kind: 'same', text, line: from + index + 1 }))
  return [
    ...same(0, head),
    ...middle(old.slice(head, old.length - tail), now.slice(head, now.length - tail), head),
    ...same(now.length - tail, now.length),
  ]
}

function middle(old: readonly string[], now: readonly string[], offset: number): DiffLine[] {
  const [rows, columns] = [old.length, now.length]
  const width = columns + 1
  const lengths = rows * columns > MOST_CELLS ? null : new Uint32Array((rows + 1) * width)
  const at = (row: number, column: number): number => lengths?.[row * width + column] ?? 0
  if (lengths)
    for (let row = rows - 1; row >= 0; row--)
      for (let column = columns - 1; column >= 0; column--)
        lengths[row * width + column] =
          old[row] === now[column]
            ? at(row + 1, column + 1) + 1
            : Math.max(at(row + 1, column), at(row, column + 1))
  const lines: DiffLine[] = []
  for (let [row, column] = [0, 0]; row < rows || column < columns;) {
    if (lengths && row < rows && column < columns && old[row] === now[column]) {
      lines.push({ kind: 'same', text: now[column] ?? '', line: offset + column + 1 })
      row++
      column++
    } else if (row < rows && (column >= columns || at(row + 1, column) >= at(row, column + 1)))
      lines.push({ kind: 'gone', text: old[row] ?? '', line: offset + ++row })
    else lines.push({ kind: 'new', text: now[column] ?? '', line: offset + ++column })
  }
  return lines
}

/** Only what changes, with a few lines around; null stands for lines that are left out. */
export function aroundChanges(lines: readonly DiffLine[], around = 3): Array<DiffLine | null> {
  const near = lines.map((_line, index) =>
    lines
      .slice(Math.max(0, index - around), index + around + 1)
      .some(({ kind }) => kind !== 'same'),
  )
  return lines.flatMap((line, index) =>
    near[index] === true ? [line] : index > 0 && near[index - 1] === true ? [null] : [],
  )
}
