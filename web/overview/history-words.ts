import type { TFunction } from 'i18next'
import type { History } from '../../broker/api/history.js'
import { type Chart, newest, peakOf, startOf } from './history-series.js'

const MINUTE_S = 60
const HOUR_S = 3_600

/** `45 s`, `3 min`, `2.5 h` in this language: as exact as an eye needs it. */
export function durationText(language: string, seconds: number): string {
  const [unit, size] =
    seconds < 2 * MINUTE_S
      ? (['second', 1] as const)
      : seconds < 2 * HOUR_S
        ? (['minute', MINUTE_S] as const)
        : (['hour', HOUR_S] as const)
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit,
    unitDisplay: 'short',
    maximumFractionDigits: 1,
  }).format(seconds / size)
}

/** The time of a point: of the day, and of a week with its day. */
export function timeText(language: string, ms: number, span: History['span']): string {
  return new Intl.DateTimeFormat(language, {
    ...(span === 'week' ? { weekday: 'short', month: 'short', day: 'numeric' } : {}),
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).format(ms)
}

export function figureText(
  language: string,
  column: string,
  value: number | null | undefined,
): string {
  if (value === null || value === undefined) return '–'
  return column.endsWith('Seconds')
    ? durationText(language, value)
    : new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(value)
}

/** What a chart shows, in a sentence: for those who do not see it, and for those who have no time. */
export function summaryText(
  t: TFunction,
  language: string,
  history: History,
  { key }: Chart,
): string {
  if (key === 'sessions') return sessionsText(t, language, history)
  return key === 'waits' ? waitsText(t, language, history) : startsText(t, language, history)
}

function sessionsText(t: TFunction, language: string, history: History): string {
  const now = newest(history)
  const [most, assigned] = [peakOf(history.sessionsMost), peakOf(history.assignedMost)]
  return t('siteHistory.summaries.sessions', {
    now: history.sessionsMost[now] ?? 0,
    assigned: history.assignedMost[now] ?? 0,
    most: most?.value ?? 0,
    at: peakTime(language, history, most),
    mostAssigned: assigned?.value ?? 0,
  })
}

function waitsText(t: TFunction, language: string, history: History): string {
  const most = peakOf(history.waitingMost)
  const longest = Math.max(
    peakOf(history.longestWaitSeconds)?.value ?? 0,
    peakOf(history.waitedMostSeconds)?.value ?? 0,
  )
  if (longest === 0) return t('siteHistory.summaries.noWaits')
  return t('siteHistory.summaries.waits', {
    most: most?.value ?? 0,
    at: peakTime(language, history, most),
    longest: durationText(language, longest),
  })
}

function peakTime(language: string, history: History, peak: ReturnType<typeof peakOf>): string {
  return timeText(language, startOf(history, peak?.index ?? newest(history)), history.span)
}

function startsText(t: TFunction, language: string, history: History): string {
  const count = history.starts.reduce<number>((sum, value) => sum + (value ?? 0), 0)
  const medians = history.startMedianSeconds.filter((value) => value !== null)
  if (medians.length === 0) return t('siteHistory.summaries.startsAlone', { count })
  return t('siteHistory.summaries.starts', {
    count,
    least: durationText(language, Math.min(...medians)),
    most: durationText(language, Math.max(...medians)),
  })
}
