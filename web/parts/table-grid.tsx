import { useVirtualizer, type Virtualizer } from '@tanstack/react-virtual'
import {
  type CSSProperties,
  type MouseEvent,
  type ReactElement,
  type ReactNode,
  type RefObject,
  useRef,
} from 'react'
import { useTranslation } from 'react-i18next'
import type { Arranged } from './arrange.js'
import type { Column } from './column.js'
import './data-table.css'
import {
  ACTIONS,
  CHECKBOX,
  fittingColumns,
  leastRow,
  type Measure,
  trackOf,
} from './fitting-columns.js'
import { useRoom } from './table-room.js'
import { ChoiceBox, GroupRow, HeadRow, Row, type Sorting } from './table-rows.js'

export interface TableProps<T> {
  /** Names the table for who does not see it. */
  readonly label: string
  readonly columns: ReadonlyArray<Column<T>>
  readonly idOf: (row: T) => string
  readonly nameOf: (row: T) => string
  readonly selected?: ReadonlySet<string>
  readonly onSelect?: (ids: ReadonlySet<string>) => void
  readonly actions?: (row: T) => ReactNode
}

const ROW_HEIGHT = 40
/** So many rows are shown as they are; more are drawn only where they are seen. */
const OVERSCAN = 12

type GridProps<T> = TableProps<T> & Sorting & { readonly lines: ReadonlyArray<Arranged<T>> }

/** Of the lines of a table, those that are seen, in the columns that have room. */
export function TableGrid<T>(props: GridProps<T>): ReactElement {
  const { label, lines, onSelect, actions } = props
  const scroll = useRef<HTMLDivElement>(null)
  const virtual = useSeenLines(lines, scroll)
  const { room, measure } = useRoom(scroll)
  const ends = [...(onSelect ? [CHECKBOX] : []), ...(actions ? [ACTIONS] : [])]
  const columns = fittingColumns(props.columns, ends, room, measure)
  const widths = {
    '--berth-tracks': tracksOf(columns, props, measure),
    '--berth-least': `${leastRow(columns, ends, measure)}rem`,
  }
  return (
    <div
      className="berth-table"
      role="table"
      aria-label={label}
      aria-rowcount={lines.length + 1}
      ref={scroll}
      tabIndex={0}
      style={widths as CSSProperties}
      onMouseOver={sayWhole}
    >
      <Head {...props} columns={columns} />
      <div
        role="rowgroup"
        className="berth-table-body"
        style={{ blockSize: virtual.getTotalSize() }}
      >
        {virtual.getVirtualItems().map(({ index, start }) => (
          <Line
            {...props}
            key={keyOf(props, index)}
            columns={columns}
            index={index}
            style={{ transform: `translateY(${start}px)`, blockSize: ROW_HEIGHT }}
          />
        ))}
      </div>
    </div>
  )
}

function useSeenLines(
  lines: readonly unknown[],
  scroll: RefObject<HTMLDivElement>,
): Virtualizer<HTMLDivElement, Element> {
  return useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
  })
}

/** The CSS grid tracks of all columns, with those of the checkboxes and menus. */
function tracksOf<T>(
  columns: ReadonlyArray<Column<T>>,
  { onSelect, actions }: GridProps<T>,
  measure: Measure,
): string {
  return [
    ...(onSelect ? [`${CHECKBOX}rem`] : []),
    ...columns.map((column) => trackOf(column, measure)),
    ...(actions ? [`${ACTIONS}rem`] : []),
  ].join(' ')
}

function Head<T>(props: GridProps<T>): ReactElement {
  const { columns, order, sortBy, onSelect, actions } = props
  return (
    <div role="rowgroup" className="berth-table-head">
      <HeadRow columns={columns} order={order} sortBy={sortBy} hasActions={actions !== undefined}>
        {onSelect && (
          <div role="columnheader">
            <AllBox {...props} onSelect={onSelect} />
          </div>
        )}
      </HeadRow>
    </div>
  )
}

/** A row keeps what is open in it when it moves. */
function keyOf<T>({ lines, idOf }: GridProps<T>, index: number): string {
  const line = lines[index]
  if (!line) return `none ${index}`
  return 'row' in line ? idOf(line.row) : `group ${line.group}`
}

function Line<T>({
  index,
  style,
  ...props
}: GridProps<T> & { index: number; style: CSSProperties }): ReactElement | null {
  const { lines, columns, actions, onSelect } = props
  const line = lines[index]
  if (!line) return null
  const placed = { index: index + 2, style }
  if (!('row' in line)) return <GroupRow group={line.group} count={line.count} {...placed} />
  const checkbox = onSelect && <RowBox {...props} row={line.row} onSelect={onSelect} />
  return <Row row={line.row} columns={columns} checkbox={checkbox} actions={actions} {...placed} />
}

type Selecting<T> = GridProps<T> & { readonly onSelect: (ids: ReadonlySet<string>) => void }

function RowBox<T>(props: Selecting<T> & { row: T }): ReactElement {
  const { row, label, idOf, nameOf, selected = new Set(), onSelect } = props
  const { t } = useTranslation()
  const id = idOf(row)
  return (
    <ChoiceBox
      id={`${label}-${id}`}
      name={t('table.select', { name: nameOf(row) })}
      isChecked={selected.has(id)}
      toggle={(on) => {
        onSelect(new Set(on ? [...selected, id] : [...selected].filter((one) => one !== id)))
      }}
    />
  )
}

function AllBox<T>({ label, lines, idOf, selected, onSelect }: Selecting<T>): ReactElement {
  const { t } = useTranslation()
  const ids = lines.flatMap((line) => ('row' in line ? [idOf(line.row)] : []))
  return (
    <ChoiceBox
      id={`${label}-all`}
      name={t('table.selectAll')}
      isChecked={ids.length > 0 && ids.every((id) => selected?.has(id) === true)}
      toggle={(on) => {
        onSelect(on ? new Set(ids) : new Set())
      }}
    />
  )
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
