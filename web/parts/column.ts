import type { TFunction } from 'i18next'
import { type ReactNode, useMemo } from 'react'
import { useTranslation } from 'react-i18next'

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

/** A column as it stands in the source: its words come with the reader's language. */
export interface ColumnPlan<T> extends Omit<Column<T>, 'name' | 'cell' | 'value'> {
  readonly name: (t: TFunction) => string
  readonly cell: (row: T, t: TFunction) => ReactNode
  readonly value: (row: T, t: TFunction) => string | number
}

/** The same columns as long as plans and language are the same, so that nothing is sorted again for nothing. */
export function useColumns<T>(plans: ReadonlyArray<ColumnPlan<T>>): ReadonlyArray<Column<T>> {
  const { t } = useTranslation()
  return useMemo(
    () =>
      plans.map((plan) => ({
        ...plan,
        name: plan.name(t),
        cell: (row) => plan.cell(row, t),
        value: (row) => plan.value(row, t),
      })),
    [plans, t],
  )
}
