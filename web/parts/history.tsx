import { EmptyState } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { AuditEvent, AuditEventList } from '../../broker/api/users.js'
import { useGet } from '../api/queries.js'
import './history.css'
import { Loaded } from './loaded.js'
import { Instant } from './when.js'

const LINES = 100

/** What was done to one thing, from the audit log, newest first. `object` as there: `machine:pc-1`. */
export function History({ object }: { object: string }): ReactElement {
  const { t } = useTranslation()
  const events = useGet<AuditEventList>(
    `/events?object=${encodeURIComponent(object)}&limit=${LINES}`,
    ['events'],
  )
  return (
    <Loaded query={events}>
      {({ events: all }) =>
        all.length === 0 ? (
          <EmptyState headingLevel="h2" titleText={t('history.none')} />
        ) : (
          <>
            <table className="berth-history" aria-label={t('history.label', { object })}>
              <thead>
                <tr>
                  <th scope="col">{t('history.at')}</th>
                  <th scope="col">{t('history.who')}</th>
                  <th scope="col">{t('history.what')}</th>
                  <th scope="col">{t('history.result')}</th>
                  <th scope="col">{t('history.detail')}</th>
                </tr>
              </thead>
              <tbody>
                {all.map((event) => (
                  <EventRow key={event.id} event={event} />
                ))}
              </tbody>
            </table>
            {all.length === LINES && (
              <p>
                <Link to={`/audit?object=${encodeURIComponent(object)}`}>{t('history.more')}</Link>
              </p>
            )}
          </>
        )
      }
    </Loaded>
  )
}

function EventRow({
  event: { at, actor, address, action, result, detail },
}: {
  event: AuditEvent
}): ReactElement {
  const text =
    detail === null || detail === undefined || JSON.stringify(detail) === '{}'
      ? ''
      : JSON.stringify(detail)
  return (
    <tr>
      <td>
        <Instant at={at} />
      </td>
      <td>
        {actor} <span className="berth-quiet">{address}</span>
      </td>
      <td className="berth-mono">{action}</td>
      <td>{result}</td>
      <td className="berth-mono berth-history-detail">{text}</td>
    </tr>
  )
}
