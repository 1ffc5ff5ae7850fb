import type { Locator } from 'playwright-core'
import { DAY_MS, MINUTE_MS, type Sample } from '../../broker/history/policy.js'

export function sampleAt(at: number): Sample {
  const busy = Math.max(0, Math.sin((at / DAY_MS - 0.25) * 2 * Math.PI))
  const sessions = Math.round(busy * 42 + busy * 6 * Math.sin(at / 900_000))
  const waiting = busy > 0.9 ? Math.round((busy - 0.9) * 60) : 0
  const starts = Math.floor(at / MINUTE_MS) % 7 === 0 ? Math.round(busy * 4) : 0
  return {
    at,
    sessions,
    assigned: sessions + 8,
    waiting,
    longestWaitMs: waiting * 45_000,
    starts,
    startMs: Array.from({ length: starts }, (_, index) => 8_000 + 3_000 * index + (at % 2_000)),
    waitedMs: Array.from({ length: starts }, (_, index) => waiting * 20_000 * index),
  }
}

/**
 * How many pixels of a chart's drawing have any colour, and how many of exactly this one of the
 * page; between two shares of its width.
 */
export async function drawn(
  chart: Locator,
  colour: string,
  [from, to]: readonly [number, number] = [0, 1],
): Promise<{ any: number; ofColour: number }> {
  return await chart.locator('canvas').evaluate(
    (element, { name, from, to }) => {
      const canvas = element as unknown as {
        width: number
        height: number
        getContext(kind: '2d'): {
          getImageData(x: number, y: number, w: number, h: number): { data: Uint8ClampedArray }
        }
      }
      const wanted = (
        globalThis as unknown as {
          getComputedStyle(of: unknown): { getPropertyValue(of: string): string }
        }
      )
        .getComputedStyle(
          (element as unknown as { ownerDocument: { documentElement: unknown } }).ownerDocument
            .documentElement,
        )
        .getPropertyValue(name)
        .trim()
      const digits =
        wanted.length === 4
          ? [...wanted.slice(1)].flatMap((digit) => [digit, digit])
          : [...wanted.slice(1)]
      const [r, g, b] = [0, 2, 4].map((first) =>
        parseInt(digits.slice(first, first + 2).join(''), 16),
      )
      const left = Math.round(from * canvas.width)
      const { data } = canvas
        .getContext('2d')
        .getImageData(left, 0, Math.round(to * canvas.width) - left, canvas.height)
      let any = 0
      let ofColour = 0
      for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] !== 0) any++
        if (data[at] === r && data[at + 1] === g && data[at + 2] === b && (data[at + 3] ?? 0) > 200)
          ofColour++
      }
      return { any, ofColour }
    },
    { name: colour, from, to },
  )
}

/** The cells of the table, row by row, as they are shown. */
export async function rowsOf(history: Locator): Promise<string[][]> {
  return await history
    .locator('tbody tr')
    .evaluateAll((rows) =>
      rows.map((row) =>
        [...(row as unknown as { cells: Iterable<{ textContent: string }> }).cells].map(
          ({ textContent }) => textContent,
        ),
      ),
    )
}
