import { Alert, Button, TextInput } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import type { AuditEvent, AuditEventList, AuditVerified } from '../../broker/api/users.js'
import { api } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { useParam } from '../parts/choice-filter.js'
import { type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { Instant } from '../parts/when.js'
import { EventDialogue } from './event-dialogue.js'
import { instantOf } from './local-days.js'

const FILTERS = ['actor', 'action', 'object', 'since', 'until'] as const
type FilterName = (typeof FILTERS)[number]
const MOST = 1_000

/** What was done, by whom and from where; searched by the broker, so that nothing old is out of reach. */
export function Audit(): ReactElement {
  const { t } = useTranslation()
  const [params] = useSearchParams()
  const filter = new URLSearchParams(
    FILTERS.flatMap((name) =>
      params.get(name) ? [[name, toApi(name, params.get(name) ?? '')]] : [],
    ),
  )
  const events = useGet<AuditEventList>(
    `/events?${new URLSearchParams([...filter, ['limit', String(MOST)]]).toString()}`,
    ['events'],
  )
  return (
    <>
      <PageHead title={t('navigation.audit')} about={t('audit.about', { count: MOST })}>
        <Button
          component="a"
          variant="secondary"
          href={`/api/v1/events/export?${filter.toString()}`}
          download="berth-events.jsonl"
        >
          {t('audit.export')}
        </Button>
        <Verify />
      </PageHead>
      <Filters key={filter.toString()} />
      <Loaded query={events}>{(data) => <Table events={data.events} />}</Loaded>
    </>
  )
}

/** Days are those of the reader's own time, as the times in the table are; the last one is whole. */
function toApi(name: FilterName, text: string): string {
  return name === 'since'
    ? instantOf(text, 'begin')
    : name === 'until'
      ? instantOf(text, 'end')
      : text
}

/** Each is the whole text, or a beginning and a star. */
function Filters(): ReactElement {
  const { t } = useTranslation()
  const [params, setParams] = useSearchParams()
  const [values, setValues] = useState(
    () =>
      Object.fromEntries(FILTERS.map((name) => [name, params.get(name) ?? ''])) as Record<
        FilterName,
        string
      >,
  )
  const apply = (): void => {
    setParams((before) => {
      for (const name of FILTERS)
        values[name] === '' ? before.delete(name) : before.set(name, values[name])
      return before
    })
  }
  return (
    <form
      className="berth-filters"
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        apply()
      }}
    >
      {FILTERS.map((name) => (
        <FilterField
          key={name}
          name={name}
          value={values[name]}
          onChange={(value) => {
            setValues({ ...values, [name]: value })
          }}
        />
      ))}
      <Button type="submit" variant="secondary">
        {t('audit.look')}
      </Button>
    </form>
  )
}

interface FilterFieldProps {
  readonly name: FilterName
  readonly value: string
  readonly onChange: (value: string) => void
}

function FilterField({ name, value, onChange }: FilterFieldProps): ReactElement {
  const { t } = useTranslation()
  return (
    <label>
      {t(`audit.${name}`)}
      <TextInput
        value={value}
        placeholder={
          name === 'since' || name === 'until'
            ? t('audit.dayPlaceholder')
            : t(`audit.${name}Placeholder`)
        }
        onChange={(_event, text) => {
          onChange(text)
        }}
        aria-label={t(`audit.${name}`)}
      />
    </label>
  )
}

const COLUMNS: ReadonlyArray<ColumnPlan<AuditEvent>> = [
  {
    key: 'at',
    name: (t) => t('audit.at'),
    cell: (event) => <Instant at={event.at} />,
    value: (event) => -event.id,
    width: '11.5rem',
  },
  {
    key: 'actor',
    name: (t) => t('audit.actor'),
    cell: (event) => event.actor,
    value: (event) => event.actor,
    wideOnly: true,
    rank: 2,
  },
  {
    key: 'action',
    name: (t) => t('audit.action'),
    cell: (event) => <EventButton event={event} />,
    value: (event) => event.action,
  },
  {
    key: 'object',
    name: (t) => t('audit.object'),
    cell: (event) => event.object,
    value: (event) => event.object,
    wideOnly: true,
    rank: 1,
  },
  {
    key: 'result',
    name: (t) => t('audit.result'),
    cell: (event) => event.result,
    value: (event) => event.result,
    width: '5rem',
    wideOnly: true,
    rank: 3,
  },
  {
    key: 'address',
    name: (t) => t('audit.address'),
    cell: (event) => event.address,
    value: (event) => event.address,
    wideOnly: true,
    rank: 4,
  },
  {
    key: 'detail',
    name: (t) => t('audit.detail'),
    cell: (event) => <span className="berth-mono">{detailOf(event)}</span>,
    value: detailOf,
    wideOnly: true,
    rank: 5,
    width: 'minmax(8rem, 2fr)',
  },
]

function detailOf({ detail }: AuditEvent): string {
  const text = JSON.stringify(detail ?? {})
  return text === '{}' ? '' : text
}

function EventButton({ event }: { event: AuditEvent }): ReactElement {
  const [, setId] = useParam('event')
  return (
    <Button
      variant="link"
      isInline
      onClick={() => {
        setId(String(event.id))
      }}
    >
      {event.action}
    </Button>
  )
}

function Table({ events }: { events: readonly AuditEvent[] }): ReactElement {
  const { t } = useTranslation()
  const [id, setId] = useParam('event')
  const shown = events.find((event) => String(event.id) === id)
  const columns = useColumns(COLUMNS)
  return (
    <>
      {shown && (
        <EventDialogue
          event={shown}
          close={() => {
            setId('')
          }}
        />
      )}
      <DataTable
        label={t('navigation.audit')}
        rows={events}
        columns={columns}
        idOf={(event) => String(event.id)}
        nameOf={(event) => event.action}
        empty={t('audit.none')}
        searchHint={t('audit.searchShown')}
      />
    </>
  )
}

/** Looks whether the chain of hashes is whole. */
function Verify(): ReactElement {
  const { t } = useTranslation()
  const verify = useAct(
    async () => await api<AuditVerified>('POST', '/events/verify', { body: {} }),
  )
  return (
    <>
      <Button
        variant="secondary"
        isLoading={verify.isPending}
        isDisabled={verify.isPending}
        onClick={() => {
          verify.mutate(undefined)
        }}
      >
        {t('audit.verify')}
      </Button>
      <ErrorAlert error={verify.error} />
      {verify.data && (
        <Alert
          isInline
          isPlain
          isLiveRegion
          variant={verify.data.good ? 'success' : 'danger'}
          title={
            verify.data.good
              ? t('audit.good', { count: verify.data.events })
              : (verify.data.fault?.message ?? t('audit.bad'))
          }
        />
      )}
    </>
  )
}
