import { Button } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Grant } from '../../broker/api/permissions.js'
import type { Session } from '../../broker/api/users.js'
import { api } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { Actions } from '../parts/actions.js'
import { Confirm } from '../parts/confirm.js'
import { type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { GrantForm } from './grant-form.js'
import { Roles } from './roles.js'

const COLUMNS: ReadonlyArray<ColumnPlan<Grant>> = [
  {
    key: 'object',
    name: (t) => t('grants.object'),
    cell: (grant, t) => (
      <Link to={`/${grant.kind}s/${grant.object}`}>
        {t(`kinds.${grant.kind}`)} {grant.object}
      </Link>
    ),
    value: (grant) => `${grant.kind} ${grant.object}`,
  },
  {
    key: 'subject',
    name: (t) => t('grants.subject'),
    cell: (grant, t) =>
      grant.subjectKind === 'user' ? (
        <Link to={`/people/${encodeURIComponent(grant.subject)}`}>{grant.subject}</Link>
      ) : (
        t('grants.role', { role: grant.subject })
      ),
    value: (grant) => `${grant.subjectKind} ${grant.subject}`,
  },
  {
    key: 'verbs',
    name: (t) => t('grants.may'),
    cell: (grant, t) => grant.verbs.map((verb) => t(`verbs.${verb}`)).join(', '),
    value: (grant) => grant.verbs.join(' '),
    width: 'minmax(5rem, 2fr)',
  },
]

/** Who may do what with which pool or machine. */
export function Grants({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const [editing, setEditing] = useState<Grant | 'new' | null>(null)
  const [taking, setTaking] = useState<Grant | null>(null)
  const grants = useGet<{ grants: Grant[] }>('/grants', ['grants'])
  const admin = session.role === 'admin'
  const columns = useColumns(COLUMNS)
  return (
    <>
      <PageHead title={t('navigation.grants')} about={t('grants.about')}>
        {admin && (
          <Button
            onClick={() => {
              setEditing('new')
            }}
          >
            {t('grants.create')}
          </Button>
        )}
      </PageHead>
      {editing !== null && (
        <GrantForm
          grant={editing === 'new' ? null : editing}
          close={() => {
            setEditing(null)
          }}
        />
      )}
      {taking && (
        <Take
          grant={taking}
          close={() => {
            setTaking(null)
          }}
        />
      )}
      <Loaded query={grants}>
        {(data) => (
          <DataTable
            label={t('navigation.grants')}
            rows={data.grants}
            columns={columns}
            idOf={idOf}
            nameOf={(grant) => `${grant.object} ${grant.subject}`}
            empty={t('grants.none')}
            {...(admin
              ? {
                  actions: (grant: Grant) => (
                    <Actions
                      label={t('grants.actionsFor', {
                        object: grant.object,
                        subject: grant.subject,
                      })}
                      actions={[
                        {
                          name: t('grants.change'),
                          onClick: () => {
                            setEditing(grant)
                          },
                        },
                        {
                          name: t('grants.take'),
                          isDanger: true,
                          onClick: () => {
                            setTaking(grant)
                          },
                        },
                      ]}
                    />
                  ),
                }
              : {})}
          />
        )}
      </Loaded>
      <Roles />
    </>
  )
}

function idOf(grant: Grant): string {
  return [grant.kind, grant.object, grant.subjectKind, grant.subject].join(' ')
}

function Take({ grant, close }: { grant: Grant; close: () => void }): ReactElement {
  const { t } = useTranslation()
  const { kind, object, subjectKind, subject } = grant
  const act = useAct(async () => {
    await api(
      'DELETE',
      `/grants?${new URLSearchParams({ kind, object, subjectKind, subject }).toString()}`,
    )
  })
  return (
    <Confirm
      title={t('grants.take')}
      action={t('grants.take')}
      danger
      pending={act.isPending}
      error={act.error}
      close={close}
      onConfirm={() => {
        act.mutate(undefined, { onSuccess: close })
      }}
    >
      {t('grants.takeWhat', { subject, object })}
    </Confirm>
  )
}
