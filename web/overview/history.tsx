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
  const [params, setParams] = useSearchParams()
  const span = params.get('span') === 'week' ? 'week' : 'day'
  const asTable = params.get('history') === 'table'
  const history = useGet<HistoryAnswer>(`/history?span=${span}`, ['history'])
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
  const actions = (
    <>
      <ToggleGroup isCompact aria-label={t('houseHistory.span')}>
        {SPANS.map((one) => (
          <ToggleGroupItem
            key={one}
            text={t(`houseHistory.spans.${one}`)}
            isSelected={one === span}
            onChange={() => {
              choose('span', one === 'day' ? null : one)
            }}
          />
        ))}
      </ToggleGroup>
      <Button
        variant="link"
        isInline
        onClick={() => {
          choose('history', asTable ? null : 'table')
        }}
      >
        {t(asTable ? 'houseHistory.asCharts' : 'houseHistory.asTable')}
      </Button>
    </>
  )
  return (
    <Card
      isCompact
      component="section"
      aria-label={t('houseHistory.title')}
      className="berth-overview-wide"
    >
      <CardHeader actions={{ actions, hasNoOffset: true }}>
        <CardTitle component="h2">{t('houseHistory.title')}</CardTitle>
      </CardHeader>
      <CardBody className="berth-house-history">
        <Loaded query={history}>{(data) => <Shown history={data} asTable={asTable} />}</Loaded>
      </CardBody>
    </Card>
  )
}

function Shown({ history, asTable }: { history: HistoryAnswer; asTable: boolean }): ReactElement {
  const { t, i18n } = useTranslation()
  const [now] = useState(() => Date.now())
  if (history.begins === null)
    return (
      <p className="berth-quiet">
        {t('houseHistory.none', { at: timeText(i18n.language, now, 'day') })}
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
