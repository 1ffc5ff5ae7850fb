import { Button } from '@patternfly/react-core'
import type { TFunction } from 'i18next'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate, useParams } from 'react-router'
import type {
  ClientsXmlState,
  ClientsXmlVersion,
  ClientsXmlVersionText,
} from '../../broker/api/clients-xml.js'
import type { Session } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { Instant } from '../parts/when.js'
import { DiffView } from './diff-view.js'

function byOf({ by }: Pick<ClientsXmlVersion, 'by'>, t: TFunction): string {
  return by === 'file' ? t('clientsXml.byFile') : by
}

const COLUMNS: ReadonlyArray<ColumnPlan<ClientsXmlVersion>> = [
  {
    key: 'id',
    name: (t) => t('clientsXml.version'),
    cell: ({ id }) => <Link to={`/clients-xml/history/${id}`}>{id}</Link>,
    value: ({ id }) => -id,
    width: '7rem',
  },
  {
    key: 'at',
    name: (t) => t('clientsXml.at'),
    cell: ({ at }) => <Instant at={at} />,
    value: ({ at }) => at,
  },
  { key: 'by', name: (t) => t('clientsXml.by'), cell: byOf, value: byOf },
  {
    key: 'clients',
    name: (t) => t('clientsXml.clients'),
    cell: ({ clients }) => String(clients),
    value: ({ clients }) => clients,
    width: '8rem',
  },
]

/** The last texts that were in force. */
export function ClientsXmlHistoryPage(): ReactElement {
  const { t } = useTranslation()
  const history = useGet<{ versions: ClientsXmlVersion[] }>('/clients-xml/history', ['clients-xml'])
  const columns = useColumns(COLUMNS)
  return (
    <>
      <PageHead
        title={t('clientsXml.history')}
        above={[{ to: '/clients-xml', name: t('navigation.clientsXml') }]}
        about={t('clientsXml.historyAbout')}
      />
      <Loaded query={history}>
        {({ versions }) => (
          <DataTable
            label={t('clientsXml.history')}
            rows={versions}
            columns={columns}
            idOf={({ id }) => String(id)}
            nameOf={({ id }) => String(id)}
            empty={t('clientsXml.noHistory')}
          />
        )}
      </Loaded>
    </>
  )
}

/**
 * One of them, compared with the file of now; it is restored by the editor, where it is checked and
 * compared once more.
 */
export function ClientsXmlVersionPage({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const { id = '' } = useParams()
  const version = useGet<ClientsXmlVersionText>(path`/clients-xml/history/${id}`, [])
  const state = useGet<ClientsXmlState>('/clients-xml', ['clients-xml'])
  return (
    <Loaded query={version}>
      {(then) => (
        <>
          <PageHead
            title={t('clientsXml.versionTitle', { id: then.id })}
            above={[
              { to: '/clients-xml', name: t('navigation.clientsXml') },
              { to: '/clients-xml/history', name: t('clientsXml.history') },
            ]}
            about={
              <>
                <Instant at={then.at} />, {byOf(then, t)}
              </>
            }
          >
            {session.role === 'admin' && (
              <RestoreButton text={then.text} isNow={state.data?.etag === then.etag} />
            )}
          </PageHead>
          <Loaded query={state}>{(now) => <DiffView before={now.text} after={then.text} />}</Loaded>
          <pre className="berth-pre berth-below" tabIndex={0} aria-label={t('clientsXml.text')}>
            {then.text}
          </pre>
        </>
      )}
    </Loaded>
  )
}

interface RestoreButtonProps {
  readonly text: string
  /** It is in force now. */ readonly isNow: boolean
}

function RestoreButton({ text, isNow }: RestoreButtonProps): ReactElement {
  const { t } = useTranslation()
  const navigate = useNavigate()
  return (
    <Button
      isDisabled={isNow}
      onClick={() => {
        sessionStorage.removeItem('berth-clients-xml')
        void navigate('/clients-xml', { state: { text } })
      }}
    >
      {t('clientsXml.restore')}
    </Button>
  )
}
