import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { History } from '../../broker/api/history.js'
import { type Gap, gapsOf, startOf } from './history-series.js'
import { figureText, timeText } from './history-words.js'

const COLUMNS = [
  'sessionsMean',
  'sessionsMost',
  'assignedMost',
  'waitingMost',
  'longestWaitSeconds',
  'given',
  'waitedMedianSeconds',
  'waitedMostSeconds',
  'starts',
  'startMedianSeconds',
] as const

/** The same figures as the charts', and those that have no line there; the newest first. */
export function HistoryTable({ history }: { history: History }): ReactElement {
  const { t } = useTranslation()
  const label = t(`siteHistory.tableOf.${history.span}`)
  return (
    <div className="berth-history-table" role="region" aria-label={label} tabIndex={0}>
      <table className="berth-history" aria-label={label}>
        <thead>
          <tr>
            <th scope="col">{t('siteHistory.from')}</th>
            {COLUMNS.map((column) => (
              <th key={column} scope="col">
                {t(`siteHistory.columns.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Rows history={history} />
        </tbody>
      </table>
    </div>
  )
}

interface RowsProps {
  readonly history: History
}

/** A gap is one row, in the place of its last sample; before the history begins there is none. */
function Rows({ history }: RowsProps): ReactElement {
  const begins = history.begins === null ? Infinity : Date.parse(history.begins)
  const gaps = new Map(
    gapsOf(history.samples)
      .filter(({ last }) => startOf(history, last) >= begins)
      .map((gap) => [gap.last, gap]),
  )
  return (
    <>
      {history.samples
        .map((count, index) => {
          const gap = gaps.get(index)
          if (gap) return <GapRow key={index} history={history} gap={gap} />
          return count === 0 ? null : <SampleRow key={index} history={history} index={index} />
        })
        .reverse()}
    </>
  )
}

function GapRow({ history, gap }: RowsProps & { gap: Gap }): ReactElement {
  const { t, i18n } = useTranslation()
  const time = (index: number): string =>
    timeText(i18n.language, startOf(history, index), history.span)
  return (
    <tr>
      <th scope="row">
        {time(gap.first)} – {time(gap.last + 1)}
      </th>
      <td colSpan={COLUMNS.length} className="berth-quiet">
        {t('siteHistory.unknown')}
      </td>
    </tr>
  )
}

function SampleRow({ history, index }: RowsProps & { index: number }): ReactElement {
  const { i18n } = useTranslation()
  return (
    <tr>
      <th scope="row">{timeText(i18n.language, startOf(history, index), history.span)}</th>
      {COLUMNS.map((column) => (
        <td key={column}>{figureText(i18n.language, column, history[column][index])}</td>
      ))}
    </tr>
  )
}
