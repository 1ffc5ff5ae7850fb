import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { History } from '../../broker/api/history.js'
import { gapsOf, startOf } from './history-series.js'
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
  const { t, i18n } = useTranslation()
  const time = (index: number): string =>
    timeText(i18n.language, startOf(history, index), history.span)
  const begins = history.begins === null ? Infinity : Date.parse(history.begins)
  const gaps = new Map(
    gapsOf(history.samples)
      .filter(({ last }) => startOf(history, last) >= begins)
      .map((gap) => [gap.last, gap]),
  )
  const label = t(`houseHistory.tableOf.${history.span}`)
  return (
    <div className="berth-history-table" role="region" aria-label={label} tabIndex={0}>
      <table className="berth-history" aria-label={label}>
        <thead>
          <tr>
            <th scope="col">{t('houseHistory.from')}</th>
            {COLUMNS.map((column) => (
              <th key={column} scope="col">
                {t(`houseHistory.columns.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {history.samples
            .map((count, index) => {
              const gap = gaps.get(index)
              if (gap)
                return (
                  <tr key={index}>
                    <th scope="row">
                      {time(gap.first)} – {time(gap.last + 1)}
                    </th>
                    <td colSpan={COLUMNS.length} className="berth-quiet">
                      {t('houseHistory.unknown')}
                    </td>
                  </tr>
                )
              return count === 0 ? null : (
                <tr key={index}>
                  <th scope="row">{time(index)}</th>
                  {COLUMNS.map((column) => (
                    <td key={column}>
                      {figureText(i18n.language, column, history[column][index])}
                    </td>
                  ))}
                </tr>
              )
            })
            .reverse()}
        </tbody>
      </table>
    </div>
  )
}
