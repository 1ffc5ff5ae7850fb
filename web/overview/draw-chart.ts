import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { History } from '../../broker/api/history.js'
import { type Chart, extentOf, gapsOf, type Line, middles, startOf } from './history-series.js'
import { durationText, timeText } from './history-words.js'

export interface Drawn {
  show(history: History): void
  end(): void
}
export interface DrawOptions {
  readonly language: string
  /** The point under the pointer; null: it has left. */ readonly onPoint: (
    index: number | null,
  ) => void
}

const HEIGHT = 190
const COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]
/** Steps of which each has a round name in seconds, minutes or hours. */
const SECONDS = [
  1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400,
]
const LEAST_SECONDS = 10
const LEAST_COUNT = 2
const HATCH_PX = 6

/**
 * Draws a chart into an element, as wide as that is, in the colours of the page, and keeps it so
 * when either changes. To be ended.
 */
export function drawChart(
  host: HTMLElement,
  chart: Chart,
  first: History,
  options: DrawOptions,
): Drawn {
  let history = first
  const plot = new UPlot(
    { ...optionsOf(chart, () => history, options), width: host.clientWidth },
    dataOf(chart, first),
    host,
  )
  const width = new ResizeObserver(() => {
    if (host.clientWidth > 0 && host.clientWidth !== plot.width)
      plot.setSize({ width: host.clientWidth, height: HEIGHT })
  })
  width.observe(host)
  const colours = new MutationObserver(() => {
    plot.redraw(false)
  })
  colours.observe(document.documentElement, { attributeFilter: ['class'] })
  return {
    show: (next) => {
      history = next
      plot.setData(dataOf(chart, next))
    },
    end: () => {
      width.disconnect()
      colours.disconnect()
      plot.destroy()
    },
  }
}

function dataOf({ lines }: Chart, history: History): UPlot.AlignedData {
  return [middles(history), ...lines.map(({ column }) => history[column])]
}

function optionsOf(
  { lines }: Chart,
  history: () => History,
  { language, onPoint }: DrawOptions,
): Omit<UPlot.Options, 'width'> {
  const hasSeconds = lines.some(({ scale }) => scale === 'seconds')
  return {
    height: HEIGHT,
    legend: { show: false },
    padding: [8, hasSeconds ? 0 : 12, 0, 0],
    cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { size: 7 } },
    scales: {
      x: { time: true, range: () => extentOf(history()) },
      count: { range: fromZero(LEAST_COUNT) },
      seconds: { range: fromZero(LEAST_SECONDS) },
    },
    axes: [timeAxis(language), countAxis(language), ...(hasSeconds ? [secondsAxis(language)] : [])],
    series: [{}, ...lines.map(seriesOf)],
    hooks: {
      drawClear: [
        (plot) => {
          hatchGaps(plot, history())
        },
      ],
      setCursor: [
        (plot) => {
          onPoint(plot.cursor.idx ?? null)
        },
      ],
    },
  }
}

/** A little more than the highest value, and not less than `least`: few things are not drawn as many. */
function fromZero(least: number): UPlot.Range.Function {
  return (_, __, most) => [0, Math.max(least, (most ?? 0) * 1.15)]
}

const AXIS: UPlot.Axis = {
  stroke: () => colour('--pf-t--global--text--color--subtle'),
  font: '12px system-ui, sans-serif',
  grid: { show: false },
  ticks: { show: false },
}

function timeAxis(language: string): UPlot.Axis {
  return {
    ...AXIS,
    size: 26,
    space: 52,
    values: (_, splits) => splits.map((at) => axisTime(language, at * 1_000)),
  }
}

function countAxis(language: string): UPlot.Axis {
  return {
    ...AXIS,
    scale: 'count',
    grid: { stroke: () => colour('--pf-t--global--border--color--subtle'), width: 1 },
    incrs: COUNTS,
    size: 40,
    space: 36,
    values: (_, splits) => splits.map((value) => value.toLocaleString(language)),
  }
}

/** At the right. */
function secondsAxis(language: string): UPlot.Axis {
  return {
    ...AXIS,
    scale: 'seconds',
    side: 1,
    incrs: SECONDS,
    size: 56,
    space: 36,
    values: (_, splits) => splits.map((value) => durationText(language, value)),
  }
}

/** Midnight is the day that begins there. */
function axisTime(language: string, ms: number): string {
  const at = new Date(ms)
  return at.getHours() + at.getMinutes() === 0
    ? new Intl.DateTimeFormat(language, { weekday: 'short' }).format(at)
    : timeText(language, ms, 'day')
}

function seriesOf({ look, scale, colour: name }: Line): UPlot.Series {
  const stroke = (): string => colour(name)
  const fill = (): string => translucent(colour(name))
  // A figure between two gaps has no line to either side: without a point it would not be seen.
  const lonely: UPlot.Series.Points = {
    show: true,
    size: 5,
    stroke,
    fill: stroke,
    filter: (plot, index, show) => (show === false ? null : lonelyPoints(plot.data[index] ?? [])),
  }
  if (look === 'bars')
    return {
      scale,
      stroke,
      fill,
      width: 1,
      points: { show: false },
      ...(UPlot.paths.bars ? { paths: UPlot.paths.bars({ size: [0.8, 18, 2] }) } : {}),
    }
  if (look === 'points')
    return { scale, stroke, width: 1.5, points: { show: true, size: 4, stroke, fill: stroke } }
  return { scale, stroke, width: 1.5, points: lonely, ...(look === 'area' ? { fill } : {}) }
}

function lonelyPoints(values: ArrayLike<number | null | undefined>): number[] {
  const known = (index: number): boolean => values[index] !== null && values[index] !== undefined
  return Array.from(values, (_, index) => index).filter(
    (index) => known(index) && !known(index - 1) && !known(index + 1),
  )
}

/** What nobody saw is hatched, so that it is not taken for nothing. */
function hatchGaps(plot: UPlot, history: History): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.beginPath()
  for (const { first, last } of gapsOf(history.samples)) {
    const [from, to] = [first, last + 1].map((index) =>
      plot.valToPos(startOf(history, index) / 1_000, 'x', true),
    ) as [number, number]
    const left = Math.max(bbox.left, from)
    const right = Math.min(bbox.left + bbox.width, to)
    if (right > left) ctx.rect(left, bbox.top, right - left, bbox.height)
  }
  ctx.clip()
  ctx.strokeStyle = colour('--pf-t--global--border--color--default')
  ctx.lineWidth = devicePixelRatio
  ctx.beginPath()
  for (
    let x = bbox.left - bbox.height;
    x < bbox.left + bbox.width;
    x += HATCH_PX * devicePixelRatio
  ) {
    ctx.moveTo(x, bbox.top + bbox.height)
    ctx.lineTo(x + bbox.height, bbox.top)
  }
  ctx.stroke()
  ctx.restore()
}

/** A colour of the page as it is now, light or dark. */
function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}
function translucent(value: string): string {
  return /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.test(value)
    ? `${value}${value.length === 4 ? '5' : '55'}`
    : value
}
