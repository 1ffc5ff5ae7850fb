import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactElement, type ReactNode, useEffect, useRef, useState } from 'react'
import './card-grid.css'

const GAP = 12

interface CardGridProps<T> {
  readonly label: string
  readonly items: readonly T[]
  readonly idOf: (item: T) => string
  readonly card: (item: T) => ReactNode
  readonly least: number
  readonly height: number
}

/**
 * Cards beside and below each other, of which only those that are seen are drawn. `height` is that
 * of a card in pixels, `least` its least width.
 */
export function CardGrid<T>({
  label,
  items,
  idOf,
  card,
  least,
  height,
}: CardGridProps<T>): ReactElement {
  const scroll = useRef<HTMLDivElement>(null)
  const columns = useColumns(scroll, least)
  const virtual = useVirtualizer({
    count: Math.ceil(items.length / columns),
    getScrollElement: () => scroll.current,
    estimateSize: () => height + GAP,
    overscan: 2,
  })
  return (
    <div className="berth-cards" role="list" aria-label={label} ref={scroll} tabIndex={0}>
      <div className="berth-cards-body" style={{ blockSize: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => (
          <div
            key={index}
            role="presentation"
            className="berth-cards-row"
            style={{
              transform: `translateY(${start}px)`,
              blockSize: height,
              gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
            }}
          >
            {items.slice(index * columns, (index + 1) * columns).map((item) => (
              <div key={idOf(item)} role="listitem">
                {card(item)}
              </div>
            ))}
          </div>
        ))}
      </div>
    </div>
  )
}

function useColumns(place: React.RefObject<HTMLElement>, least: number): number {
  const [columns, setColumns] = useState(1)
  useEffect(() => {
    const element = place.current
    if (!element) return
    const watcher = new ResizeObserver(() => {
      setColumns(Math.max(1, Math.floor((element.clientWidth + GAP) / (least + GAP))))
    })
    watcher.observe(element)
    return () => {
      watcher.disconnect()
    }
  }, [place, least])
  return columns
}
