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
  const common = commonLengths(old, now)
  const lines: DiffLine[] = []
  for (let [row, column] = [0, 0]; row < rows || column < columns;) {
    const isInside = row < rows && column < columns
    if (common && isInside && old[row] === now[column]) {
      lines.push(diffLine('same', now[column], offset + ++column))
      row++
    } else if (
      isInside ? !common || common(row + 1, column) >= common(row, column + 1) : row < rows
    )
      lines.push(diffLine('gone', old[row], offset + ++row))
    else lines.push(diffLine('new', now[column], offset + ++column))
  }
  return lines
}

function diffLine(kind: DiffLine['kind'], text = '', line: number): DiffLine {
  return { kind, text, line }
}

/** How many lines both have in common from a row and a column on; null where that would be too much to count. */
function commonLengths(
  old: readonly string[],
  now: readonly string[],
): ((row: number, column: number) => number) | null {
  if (old.length * now.length > MOST_CELLS) return null
  const width = now.length + 1
  const lengths = new Uint32Array((old.length + 1) * width)
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0
  for (let row = old.length - 1; row >= 0; row--)
    for (let column = now.length - 1; column >= 0; column--)
      lengths[row * width + column] =
        old[row] === now[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1))
  return at
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
