/** What is needed of a column to sort and to search by it. */
interface Sortable<T> {
  readonly key: string
  readonly value: (row: T) => string | number
}
export interface Order {
  readonly key: string
  readonly down: boolean
}
/** A line of a table: the head of a group, or a row. */
export type Arranged<T> = { readonly row: T } | { readonly group: string; readonly count: number }

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' }) // pc-2 before pc-10

/**
 * The rows that hold every word of `search` in some column, in order, under the heads of their
 * groups when they have such.
 */
export function arrange<T>(
  rows: readonly T[],
  columns: ReadonlyArray<Sortable<T>>,
  { search, order, groupOf }: { search: string; order: Order; groupOf?: (row: T) => string },
): Array<Arranged<T>> {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  const found =
    words.length === 0
      ? [...rows]
      : rows.filter((row) => {
          const text = columns
            .map(({ value }) => String(value(row)))
            .join('\n')
            .toLowerCase()
          return words.every((word) => text.includes(word))
        })
  const by = columns.find(({ key }) => key === order.key) ?? columns[0]
  if (by)
    found.sort((one, other) => compare(by.value(one), by.value(other)) * (order.down ? -1 : 1))
  if (!groupOf) return found.map((row) => ({ row }))
  const groups = new Map<string, T[]>()
  for (const row of found) {
    const group = groupOf(row)
    const members = groups.get(group)
    if (members) members.push(row)
    else groups.set(group, [row])
  }
  return [...groups]
    .sort(([one], [other]) => collator.compare(one, other))
    .flatMap(([group, members]) => [
      { group, count: members.length },
      ...members.map((row) => ({ row })),
    ])
}

function compare(one: string | number, other: string | number): number {
  return typeof one === 'number' && typeof other === 'number'
    ? one - other
    : collator.compare(String(one), String(other))
}
