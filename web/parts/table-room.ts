import { type RefObject, useLayoutEffect, useState } from 'react'
import type { Measure } from './fitting-columns.js'

interface Room {
  readonly room: number
  readonly measure: Measure
}

/**
 * How wide the table may be, and words in its head are, in rem. Known before it is painted, so that
 * no column flashes up and goes.
 */
export function useRoom(place: RefObject<HTMLElement>): Room {
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
