import { EmptyState } from '@patternfly/react-core'
import { type ReactElement, type ReactNode, useDeferredValue, useEffect, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import { arrange, type Arranged, type Order } from './arrange.js'
import { SearchTools } from './search-tools.js'
import { TableGrid, type TableProps } from './table-grid.js'

export interface DataTableProps<T> extends TableProps<T> {
  readonly rows: readonly T[]
  /** What a row belongs to; rows of one group stand together under its name. */
  readonly groupOf?: (row: T) => string
  /** Other filters and buttons, beside the search. */
  readonly tools?: ReactNode
  readonly empty: string
  /** What stands in the search while it is empty; "Search" when absent. */
  readonly searchHint?: string
  /** In the address: two tables on one page need two. */
  readonly prefix?: string
}

/**
 * A table that stands 10,000 rows: only what is seen is drawn. Search and order stand in the
 * address, so they can be sent and outlive a reload.
 */
export function DataTable<T>(props: DataTableProps<T>): ReactElement {
  const { label, rows, columns, groupOf, tools, searchHint, empty, prefix = '' } = props
  const { t } = useTranslation()
  const { search, order, set, sortBy } = useAddress(prefix, columns[0]?.key ?? '')
  const deferred = useDeferredValue(search)
  const lines = useMemo(
    () => arrange(rows, columns, { search: deferred, order, ...(groupOf ? { groupOf } : {}) }),
    [rows, columns, deferred, order.key, order.down, groupOf],
  )
  useOnlyShown(props, lines)
  const count = lines.filter((line) => 'row' in line).length
  return (
    <>
      <SearchTools
        label={label}
        searchHint={searchHint}
        search={search}
        setSearch={(value) => {
          set('search', value)
        }}
        tools={tools}
        found={
          count === rows.length
            ? t('table.count', { count })
            : t('table.countOf', { count, all: rows.length })
        }
      />
      {rows.length === 0 ? (
        <EmptyState headingLevel="h2" titleText={empty} />
      ) : (
        <TableGrid {...props} lines={lines} order={order} sortBy={sortBy} />
      )}
    </>
  )
}

/** `first`: the column by which it is in order until somebody chooses. */
function useAddress(
  prefix: string,
  first: string,
): {
  search: string
  order: Order
  set: (name: string, value: string) => void
  sortBy: (key: string) => void
} {
  const [params, setParams] = useSearchParams()
  const order = orderOf(params.get(`${prefix}sort`) ?? first)
  const set = (name: string, value: string): void => {
    setParams(
      (before) => {
        value === '' ? before.delete(prefix + name) : before.set(prefix + name, value)
        return before
      },
      { replace: true },
    )
  }
  const sortBy = (key: string): void => {
    set('sort', `${order.key === key && !order.down ? '-' : ''}${key}`)
  }
  return { search: params.get(`${prefix}search`) ?? '', order, set, sortBy }
}

function orderOf(text: string): Order {
  return text.startsWith('-') ? { key: text.slice(1), down: true } : { key: text, down: false }
}

/** What a search or a filter hides is not chosen any more: nobody does something to what they do not see. */
function useOnlyShown<T>(
  { idOf, selected, onSelect }: DataTableProps<T>,
  lines: ReadonlyArray<Arranged<T>>,
): void {
  useEffect(() => {
    if (!selected || !onSelect || selected.size === 0) return
    const shown = new Set(lines.flatMap((line) => ('row' in line ? [idOf(line.row)] : [])))
    const kept = [...selected].filter((id) => shown.has(id))
    if (kept.length < selected.size) onSelect(new Set(kept))
  }, [lines])
}
