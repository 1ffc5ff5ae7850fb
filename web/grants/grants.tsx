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
  const [doing, setDoing] = useState<Doing | null>(null)
  const grants = useGet<{ grants: Grant[] }>('/grants', ['grants'])
  const admin = session.role === 'admin'
  return (
    <>
      <PageHead title={t('navigation.grants')} about={t('grants.about')}>
        {admin && (
          <Button
            onClick={() => {
              setDoing({ change: 'new' })
            }}
          >
            {t('grants.create')}
          </Button>
        )}
      </PageHead>
      {doing && (
        <DoingDialogue
          doing={doing}
          close={() => {
            setDoing(null)
          }}
        />
      )}
      <Loaded query={grants}>
        {(data) => <GrantTable grants={data.grants} onDo={admin ? setDoing : null} />}
      </Loaded>
      <Roles />
    </>
  )
}

type Doing = { readonly change: Grant | 'new' } | { readonly take: Grant }

function DoingDialogue({ doing, close }: { doing: Doing; close: () => void }): ReactElement {
  if ('take' in doing) return <Take grant={doing.take} close={close} />
  return <GrantForm grant={doing.change === 'new' ? null : doing.change} close={close} />
}

interface GrantTableProps {
  readonly grants: readonly Grant[]
  /** Null: they only look. */
  readonly onDo: ((doing: Doing) => void) | null
}

function GrantTable({ grants, onDo }: GrantTableProps): ReactElement {
  const { t } = useTranslation()
  const columns = useColumns(COLUMNS)
  const actions = onDo && {
    actions: (grant: Grant) => <GrantActions grant={grant} onDo={onDo} />,
  }
  return (
    <DataTable
      label={t('navigation.grants')}
      rows={grants}
      columns={columns}
      idOf={idOf}
      nameOf={(grant) => `${grant.object} ${grant.subject}`}
      empty={t('grants.none')}
      {...actions}
    />
  )
}

function GrantActions({
  grant,
  onDo,
}: {
  grant: Grant
  onDo: (doing: Doing) => void
}): ReactElement {
  const { t } = useTranslation()
  const { object, subject } = grant
  return (
    <Actions
      label={t('grants.actionsFor', { object, subject })}
      actions={[
        {
          name: t('grants.change'),
          onClick: () => {
            onDo({ change: grant })
          },
        },
        {
          name: t('grants.take'),
          isDanger: true,
          onClick: () => {
            onDo({ take: grant })
          },
        },
      ]}
    />
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
