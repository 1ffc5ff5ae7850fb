import {
  Bullseye,
  Button,
  Card,
  CardBody,
  CardHeader,
  CardTitle,
  Spinner,
  ToggleGroup,
  ToggleGroupItem,
} from '@patternfly/react-core'
import { type ReactElement, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import type { History as HistoryAnswer } from '../../broker/api/history.js'
import { useGet } from '../api/queries.js'
import { lazyPart } from '../frame/lazy-part.js'
import { Loaded } from '../parts/loaded.js'
import { HistoryTable } from './history-table.js'
import { timeText } from './history-words.js'
import '../parts/history.css'
import './history.css'

const HistoryCharts = lazyPart(async () => (await import('./history-charts.js')).HistoryCharts)
const SPANS = ['day', 'week'] as const

/** What the last day or week was like, as charts or as a table; both choices stand in the address. */
export function History(): ReactElement {
  const { t } = useTranslation()
  const { span, asTable, choose } = useChoice()
  const history = useGet<HistoryAnswer>(`/history?span=${span}`, ['history'])
  const actions = (
    <>
      <SpanToggle
        span={span}
        choose={(one) => {
          choose('span', one === 'day' ? null : one)
        }}
      />
      <Button
        variant="link"
        isInline
        onClick={() => {
          choose('history', asTable ? null : 'table')
        }}
      >
        {t(asTable ? 'siteHistory.asCharts' : 'siteHistory.asTable')}
      </Button>
    </>
  )
  return (
    <Card
      isCompact
      component="section"
      aria-label={t('siteHistory.title')}
      className="berth-overview-wide"
    >
      <CardHeader actions={{ actions, hasNoOffset: true }}>
        <CardTitle component="h2">{t('siteHistory.title')}</CardTitle>
      </CardHeader>
      <CardBody className="berth-site-history">
        <Loaded query={history}>{(data) => <Shown history={data} asTable={asTable} />}</Loaded>
      </CardBody>
    </Card>
  )
}

type Span = (typeof SPANS)[number]

/** What stands in the address. `choose`: null takes it away. */
function useChoice(): {
  readonly span: Span
  readonly asTable: boolean
  readonly choose: (name: string, value: string | null) => void
} {
  const [params, setParams] = useSearchParams()
  const choose = (name: string, value: string | null): void => {
    setParams(
      (before) => {
        const after = new URLSearchParams(before)
        if (value === null) after.delete(name)
        else after.set(name, value)
        return after
      },
      { replace: true, preventScrollReset: true },
    )
  }
  return {
    span: params.get('span') === 'week' ? 'week' : 'day',
    asTable: params.get('history') === 'table',
    choose,
  }
}

interface SpanToggleProps {
  readonly span: Span
  readonly choose: (span: Span) => void
}

function SpanToggle({ span, choose }: SpanToggleProps): ReactElement {
  const { t } = useTranslation()
  return (
    <ToggleGroup isCompact aria-label={t('siteHistory.span')}>
      {SPANS.map((one) => (
        <ToggleGroupItem
          key={one}
          text={t(`siteHistory.spans.${one}`)}
          isSelected={one === span}
          onChange={() => {
            choose(one)
          }}
        />
      ))}
    </ToggleGroup>
  )
}

function Shown({ history, asTable }: { history: HistoryAnswer; asTable: boolean }): ReactElement {
  const { t, i18n } = useTranslation()
  const [now] = useState(() => Date.now())
  if (history.begins === null)
    return (
      <p className="berth-quiet">
        {t('siteHistory.none', { at: timeText(i18n.language, now, 'day') })}
      </p>
    )
  if (asTable) return <HistoryTable history={history} />
  return (
    <Suspense
      fallback={
        <Bullseye className="berth-loading">
          <Spinner aria-label={t('common.loading')} />
        </Bullseye>
      }
    >
      <HistoryCharts key={history.span} history={history} />
    </Suspense>
  )
}
