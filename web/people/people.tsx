import { Button } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Session, User } from '../../broker/api/users.js'
import { useGet } from '../api/queries.js'
import { type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { StateLabel } from '../parts/state-label.js'
import { When } from '../parts/when.js'
import { CreatePerson } from './create-person.js'

const COLUMNS: ReadonlyArray<ColumnPlan<User>> = [
  {
    key: 'name',
    name: (t) => t('people.name'),
    cell: (user) => <Link to={`/people/${encodeURIComponent(user.name)}`}>{user.name}</Link>,
    value: (user) => user.name,
    width: 'minmax(6rem, 1fr)',
  },
  {
    key: 'displayName',
    name: (t) => t('people.displayName'),
    cell: (user) => user.displayName,
    value: (user) => user.displayName,
    wideOnly: true,
    rank: 2,
  },
  {
    key: 'state',
    name: (t) => t('people.state'),
    cell: (user) => <PersonState user={user} />,
    value: (user) => (user.disabled ? 2 : user.blockedUntil === null ? 0 : 1),
    width: 'minmax(7rem, 0.6fr)',
  },
  {
    key: 'roles',
    name: (t) => t('people.roles'),
    cell: (user) => user.roles.map(({ role }) => role).join(', '),
    value: (user) => user.roles.map(({ role }) => role).join(', '),
    wideOnly: true,
    rank: 1,
  },
  {
    key: 'source',
    name: (t) => t('people.source'),
    cell: (user) => user.source,
    value: (user) => user.source,
    width: 'minmax(5rem, 0.6fr)',
    wideOnly: true,
    rank: 4,
  },
  {
    key: 'lastLogin',
    name: (t) => t('people.lastLogin'),
    cell: (user) => <When at={user.lastLoginAt} />,
    value: (user) => user.lastLoginAt ?? '',
    width: 'minmax(7.5rem, 0.8fr)',
    wideOnly: true,
    rank: 3,
  },
]

/** Everybody who has an account, also those who came from a directory or a provider. */
export function People({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const [creating, setCreating] = useState(false)
  const users = useGet<{ users: User[] }>('/users', ['people'])
  const columns = useColumns(COLUMNS)
  return (
    <>
      <PageHead title={t('navigation.people')} about={t('people.about')}>
        {session.role === 'admin' && (
          <Button
            onClick={() => {
              setCreating(true)
            }}
          >
            {t('people.create')}
          </Button>
        )}
      </PageHead>
      {creating && (
        <CreatePerson
          close={() => {
            setCreating(false)
          }}
        />
      )}
      <Loaded query={users}>
        {(data) => (
          <DataTable
            label={t('navigation.people')}
            rows={data.users}
            columns={columns}
            idOf={(user) => user.name}
            nameOf={(user) => user.name}
            empty={t('people.none')}
          />
        )}
      </Loaded>
    </>
  )
}

export function PersonState({ user }: { user: User }): ReactElement {
  const { t } = useTranslation()
  if (user.disabled) return <StateLabel feeling="quiet">{t('people.disabled')}</StateLabel>
  return user.blockedUntil === null ? (
    <StateLabel feeling="good">{t('people.active')}</StateLabel>
  ) : (
    <StateLabel feeling="bad" title={user.blockedUntil}>
      {t('people.blocked')}
    </StateLabel>
  )
}
