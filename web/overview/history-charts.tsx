import { type ReactElement, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { History } from '../../broker/api/history.js'
import { drawChart, type Drawn } from './draw-chart.js'
import { type Chart, CHARTS, newest, startOf } from './history-series.js'
import { figureText, summaryText, timeText } from './history-words.js'

/** Loaded when the overview stands already: the charts are heavier than all the rest of it. */
export function HistoryCharts({ history }: { history: History }): ReactElement {
  return (
    <div className="berth-charts">
      {CHARTS.map((chart) => (
        <ChartFigure key={chart.key} chart={chart} history={history} />
      ))}
    </div>
  )
}

function ChartFigure({ chart, history }: { chart: Chart; history: History }): ReactElement {
  const { t, i18n } = useTranslation()
  const host = useRef<HTMLDivElement>(null)
  const drawn = useRef<Drawn | null>(null)
  const first = useRef(history)
  const [pointed, setPointed] = useState<number | null>(null)
  useEffect(() => {
    if (host.current === null) return
    drawn.current = drawChart(host.current, chart, first.current, {
      language: i18n.language,
      onPoint: setPointed,
    })
    return () => {
      drawn.current?.end()
    }
  }, [chart, i18n.language])
  useEffect(() => {
    first.current = history
    drawn.current?.show(history)
  }, [history])
  const title = t(`siteHistory.charts.${chart.key}`)
  const summary = summaryText(t, i18n.language, history, chart)
  return (
    <figure className="berth-chart">
      <h3>{title}</h3>
      <div ref={host} role="img" aria-label={`${title}. ${summary}`} className="berth-chart-plot" />
      <Readout chart={chart} history={history} index={pointed ?? newest(history)} />
      <figcaption className="berth-quiet">{summary}</figcaption>
    </figure>
  )
}

/** Which line is which, and its figure at the pointer; without one, the newest. */
function Readout({
  chart,
  history,
  index,
}: {
  chart: Chart
  history: History
  index: number
}): ReactElement {
  const { t, i18n } = useTranslation()
  return (
    <ul className="berth-readout">
      <li>{timeText(i18n.language, startOf(history, index), history.span)}</li>
      {history.samples[index] === 0 ? (
        <li className="berth-quiet">{t('siteHistory.unknown')}</li>
      ) : (
        chart.lines.map(({ column, colour }) => (
          <li key={column}>
            <span className="berth-swatch" style={{ background: `var(${colour})` }} />
            {t(`siteHistory.lines.${column}`)}{' '}
            <strong>{figureText(i18n.language, column, history[column][index])}</strong>
          </li>
        ))
      )}
    </ul>
  )
}
