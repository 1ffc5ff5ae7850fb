import type { ReactNode } from 'react'

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
