import { diffArrays } from 'diff'

/** A line that stays, goes or comes. */
export interface DiffLine {
  readonly kind: 'same' | 'gone' | 'new'
  readonly text: string
  /** In the text that it is of, from 1. */
  readonly line: number
}

/**
 * Where more lines than this go and come, all are shown as gone and all as new: a finer answer
 * would keep the page busy.
 */
const MOST_CHANGES = 2_000

/** What changes line by line, as little as possible. Pure. */
export function lineDiff(before: string, after: string): DiffLine[] {
  const [old, now] = [before.split('\n'), after.split('\n')]
  const parts = diffArrays(old, now, { maxEditLength: MOST_CHANGES }) ?? [
    { removed: true, added: false, value: old },
    { removed: false, added: true, value: now },
  ]
  const lines: DiffLine[] = []
  let [oldLine, newLine] = [0, 0]
  for (const { removed, added, value } of parts) {
    for (const text of value) {
      if (!added) oldLine++
      if (!removed) newLine++
      const kind = removed ? 'gone' : added ? 'new' : 'same'
      lines.push({ kind, text, line: removed ? oldLine : newLine })
    }
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
