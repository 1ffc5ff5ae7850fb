import {
  Checkbox,
  EmptyState,
  SearchInput,
  Toolbar,
  ToolbarContent,
  ToolbarItem,
} from '@patternfly/react-core'
import { AngleDownIcon } from '@patternfly/react-icons/dist/esm/icons/angle-down-icon'
import { AngleUpIcon } from '@patternfly/react-icons/dist/esm/icons/angle-up-icon'
import { useVirtualizer } from '@tanstack/react-virtual'
import {
  type CSSProperties,
  type MouseEvent,
  type ReactElement,
  type ReactNode,
  type RefObject,
  useDeferredValue,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import { arrange, type Arranged, type Order } from './arrange.js'
import './data-table.css'
import {
  ACTIONS,
  CHECKBOX,
  fittingColumns,
  leastRow,
  type Measure,
  trackOf,
} from './fitting-columns.js'

export interface Column<T> {
  readonly key: string
  readonly name: string
  readonly cell: (row: T) => ReactNode
  /** By which it is sorted and searched. */
  readonly value: (row: T) => string | number
  /** A CSS grid track; 1fr when absent. */
  readonly width?: string
  /** Left out where there is little room. */
  readonly wideOnly?: boolean
  /** Of those that may be left out, the highest goes first; among equals, the one at the right. */
  readonly rank?: number
}

export interface DataTableProps<T> {
  /** Names the table for who does not see it. */
  readonly label: string
  readonly rows: readonly T[]
  readonly columns: ReadonlyArray<Column<T>>
  readonly idOf: (row: T) => string
  readonly nameOf: (row: T) => string
  /** What a row belongs to; rows of one group stand together under its name. */
  readonly groupOf?: (row: T) => string
  readonly selected?: ReadonlySet<string>
  readonly onSelect?: (ids: ReadonlySet<string>) => void
  readonly actions?: (row: T) => ReactNode
  /** Other filters and buttons, beside the search. */
  readonly tools?: ReactNode
  readonly empty: string
  /** What stands in the search while it is empty; "Search" when absent. */
  readonly searchHint?: string
  /** In the address: two tables on one page need two. */
  readonly prefix?: string
}

const ROW_HEIGHT = 40
/** So many rows are shown as they are; more are drawn only where they are seen. */
const OVERSCAN = 12

/**
 * A table that stands 10,000 rows: only what is seen is drawn. Search and order stand in the
 * address, so they can be sent and outlive a reload.
 */
export function DataTable<T>(props: DataTableProps<T>): ReactElement {
  const { rows, columns, idOf, groupOf, tools, empty, searchHint, label, prefix = '' } = props
  const { t } = useTranslation()
  const [params, setParams] = useSearchParams()
  const search = params.get(`${prefix}search`) ?? ''
  const order = orderOf(params.get(`${prefix}sort`) ?? columns[0]?.key ?? '')
  const deferred = useDeferredValue(search)
  const lines = useMemo(
    () => arrange(rows, columns, { search: deferred, order, ...(groupOf ? { groupOf } : {}) }),
    [rows, columns, deferred, order.key, order.down, groupOf],
  )
  const count = lines.filter((line) => 'row' in line).length
  useOnlyShown(props, lines)
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
  return (
    <>
      <Toolbar inset={{ default: 'insetNone' }}>
        <ToolbarContent>
          <ToolbarItem>
            <SearchInput
              aria-label={t('table.search', { table: label })}
              placeholder={searchHint ?? t('table.searchPlaceholder')}
              value={search}
              onChange={(_event, value) => {
                set('search', value)
              }}
              onClear={() => {
                set('search', '')
              }}
            />
          </ToolbarItem>
          {tools}
          <ToolbarItem align={{ default: 'alignEnd' }}>
            <span role="status">
              {count === rows.length
                ? t('table.count', { count })
                : t('table.countOf', { count, all: rows.length })}
            </span>
          </ToolbarItem>
        </ToolbarContent>
      </Toolbar>
      {rows.length === 0 ? (
        <EmptyState headingLevel="h2" titleText={empty} />
      ) : (
        <Grid {...props} lines={lines} order={order} sortBy={sortBy} idOf={idOf} />
      )}
    </>
  )
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

function orderOf(text: string): Order {
  return text.startsWith('-') ? { key: text.slice(1), down: true } : { key: text, down: false }
}

type GridProps<T> = DataTableProps<T> & {
  lines: ReadonlyArray<Arranged<T>>
  order: Order
  sortBy: (key: string) => void
}

function Grid<T>({
  label,
  lines,
  columns: all,
  order,
  sortBy,
  idOf,
  nameOf,
  selected,
  onSelect,
  actions,
}: GridProps<T>): ReactElement {
  const { t } = useTranslation()
  const scroll = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
  })
  const { room, measure } = useRoom(scroll)
  const ends = [...(onSelect ? [CHECKBOX] : []), ...(actions ? [ACTIONS] : [])]
  const columns = fittingColumns(all, ends, room, measure)
  const tracks = [
    ...(onSelect ? [`${CHECKBOX}rem`] : []),
    ...columns.map((column) => trackOf(column, measure)),
    ...(actions ? [`${ACTIONS}rem`] : []),
  ].join(' ')
  const ids = lines.flatMap((line) => ('row' in line ? [idOf(line.row)] : []))
  const allChosen = ids.length > 0 && ids.every((id) => selected?.has(id) === true)
  const toggle = (id: string, on: boolean): void => {
    onSelect?.(
      new Set(on ? [...(selected ?? []), id] : [...(selected ?? [])].filter((one) => one !== id)),
    )
  }
  return (
    <div
      className="berth-table"
      role="table"
      aria-label={label}
      aria-rowcount={lines.length + 1}
      ref={scroll}
      tabIndex={0}
      style={
        {
          '--berth-tracks': tracks,
          '--berth-least': `${leastRow(columns, ends, measure)}rem`,
        } as CSSProperties
      }
      onMouseOver={sayWhole}
    >
      <div role="rowgroup" className="berth-table-head">
        <HeadRow columns={columns} order={order} sortBy={sortBy} hasActions={actions !== undefined}>
          {onSelect && (
            <div role="columnheader">
              <Checkbox
                id={`${label}-all`}
                aria-label={t('table.selectAll')}
                isChecked={allChosen}
                onChange={(_event, on) => {
                  onSelect(on ? new Set(ids) : new Set())
                }}
              />
            </div>
          )}
        </HeadRow>
      </div>
      <div
        role="rowgroup"
        className="berth-table-body"
        style={{ blockSize: virtual.getTotalSize() }}
      >
        {virtual.getVirtualItems().map(({ index, start }) => {
          const line = lines[index]
          if (!line) return null
          const style = { transform: `translateY(${start}px)`, blockSize: ROW_HEIGHT }
          if (!('row' in line))
            return (
              <div
                key={`group ${line.group}`}
                role="row"
                aria-rowindex={index + 2}
                className="berth-table-group"
                style={style}
              >
                <div role="cell">
                  {line.group === '' ? t('table.noGroup') : line.group}{' '}
                  <span className="berth-quiet">{line.count}</span>
                </div>
              </div>
            )
          const id = idOf(line.row)
          return (
            <div
              key={id}
              role="row"
              aria-rowindex={index + 2}
              className="berth-table-row"
              style={style}
            >
              {onSelect && (
                <div role="cell">
                  <Checkbox
                    id={`${label}-${id}`}
                    aria-label={t('table.select', { name: nameOf(line.row) })}
                    isChecked={selected?.has(id) === true}
                    onChange={(_event, on) => {
                      toggle(id, on)
                    }}
                  />
                </div>
              )}
              {columns.map(({ key, cell }) => (
                <div key={key} role="cell">
                  {cell(line.row)}
                </div>
              ))}
              {actions && (
                <div role="cell" className="berth-table-actions">
                  {actions(line.row)}
                </div>
              )}
            </div>
          )
        })}
      </div>
    </div>
  )
}

/** `children`: what stands before the columns. */
function HeadRow<T>({
  columns,
  order,
  sortBy,
  hasActions,
  children,
}: Pick<GridProps<T>, 'columns' | 'order' | 'sortBy'> & {
  hasActions: boolean
  children: ReactNode
}): ReactElement {
  const { t } = useTranslation()
  return (
    <div role="row" className="berth-table-row" aria-rowindex={1}>
      {children}
      {columns.map(({ key, name }) => (
        <div
          key={key}
          role="columnheader"
          aria-sort={order.key !== key ? 'none' : order.down ? 'descending' : 'ascending'}
        >
          <button
            type="button"
            className="berth-sort"
            onClick={() => {
              sortBy(key)
            }}
          >
            <span>{name}</span>
            {order.key === key && (order.down ? <AngleDownIcon /> : <AngleUpIcon />)}
          </button>
        </div>
      ))}
      {hasActions && (
        <div role="columnheader" className="berth-table-actions">
          <span className="pf-v6-u-screen-reader">{t('table.actions')}</span>
        </div>
      )}
    </div>
  )
}

interface Room {
  readonly room: number
  readonly measure: Measure
}

/**
 * How wide the table may be, and words in its head are, in rem. Known before it is painted, so that
 * no column flashes up and goes.
 */
function useRoom(place: RefObject<HTMLElement>): Room {
  const [known, setKnown] = useState<Room>({ room: 0, measure: () => 0 })
  useLayoutEffect(() => {
    const element = place.current
    if (!element) return
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize)
    const measure = measurer(getComputedStyle(element), rem)
    const look = (): void => {
      setKnown({ room: element.clientWidth / rem, measure })
    }
    const watcher = new ResizeObserver(look)
    watcher.observe(element)
    look()
    return () => {
      watcher.disconnect()
    }
  }, [place])
  return known
}

const HEAD_WEIGHT = 600

function measurer({ fontSize, fontFamily }: CSSStyleDeclaration, rem: number): Measure {
  const pen = document.createElement('canvas').getContext('2d')
  if (!pen) return () => 0
  pen.font = `${HEAD_WEIGHT} ${fontSize} ${fontFamily}`
  const known = new Map<string, number>()
  return (text) => {
    const width = known.get(text) ?? pen.measureText(text).width / rem
    known.set(text, width)
    return width
  }
}

/** What is cut off in a cell is said in full when one points at it. */
function sayWhole({ target }: MouseEvent): void {
  const cell = target instanceof Element ? target.closest('[role=cell], [role=columnheader]') : null
  if (!(cell instanceof HTMLElement)) return
  const parts = [cell, ...cell.querySelectorAll('.berth-sort > span')]
  if (parts.some(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth))
    cell.title = cell.textContent ?? ''
  else cell.removeAttribute('title')
}
