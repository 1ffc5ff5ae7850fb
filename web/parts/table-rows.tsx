import { Checkbox } from '@patternfly/react-core'
import { AngleDownIcon } from '@patternfly/react-icons/dist/esm/icons/angle-down-icon'
import { AngleUpIcon } from '@patternfly/react-icons/dist/esm/icons/angle-up-icon'
import type { CSSProperties, ReactElement, ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Order } from './arrange.js'
import type { Column } from './column.js'

export interface Sorting {
  readonly order: Order
  readonly sortBy: (key: string) => void
}

/** `children`: what stands before the columns. */
export function HeadRow<T>({
  columns,
  order,
  sortBy,
  hasActions,
  children,
}: Sorting & {
  columns: ReadonlyArray<Column<T>>
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

/** Where a row of all stands: from 1, the head before the first. */
interface Placed {
  readonly index: number
  readonly style: CSSProperties
}

export function GroupRow({
  group,
  count,
  index,
  style,
}: Placed & { group: string; count: number }): ReactElement {
  const { t } = useTranslation()
  return (
    <div role="row" aria-rowindex={index} className="berth-table-group" style={style}>
      <div role="cell">
        {group === '' ? t('table.noGroup') : group} <span className="berth-quiet">{count}</span>
      </div>
    </div>
  )
}

export function Row<T>({
  row,
  columns,
  checkbox,
  actions,
  index,
  style,
}: Placed & {
  row: T
  columns: ReadonlyArray<Column<T>>
  checkbox: ReactNode
  actions: ((row: T) => ReactNode) | undefined
}): ReactElement {
  return (
    <div role="row" aria-rowindex={index} className="berth-table-row" style={style}>
      {checkbox && <div role="cell">{checkbox}</div>}
      {columns.map(({ key, cell }) => (
        <div key={key} role="cell">
          {cell(row)}
        </div>
      ))}
      {actions && (
        <div role="cell" className="berth-table-actions">
          {actions(row)}
        </div>
      )}
    </div>
  )
}

export function ChoiceBox({
  id,
  name,
  isChecked,
  toggle,
}: {
  id: string
  name: string
  isChecked: boolean
  toggle: (on: boolean) => void
}): ReactElement {
  return (
    <Checkbox
      id={id}
      aria-label={name}
      isChecked={isChecked}
      onChange={(_event, on) => {
        toggle(on)
      }}
    />
  )
}
