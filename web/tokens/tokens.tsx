import type { TFunction } from 'i18next'
import { Button } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Token } from '../../broker/api/users.js'
import { api, path } from '../api/client.js'
import { queryClient, useAct, useGet } from '../api/queries.js'
import { Actions } from '../parts/actions.js'
import { Confirm } from '../parts/confirm.js'
import { type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { When } from '../parts/when.js'
import { CreateToken } from './create-token.js'
import { scopeName } from './scopes.js'

const PATH = '/tokens'

function mayOf({ scopes }: Token, t: TFunction): string {
  return scopes === null
    ? t('tokens.mays.all')
    : scopes.map((scope) => scopeName(t, scope)).join(', ')
}

const COLUMNS: ReadonlyArray<ColumnPlan<Token>> = [
  {
    key: 'name',
    name: (t) => t('tokens.name'),
    cell: ({ name }) => name,
    value: ({ name }) => name,
    width: 'minmax(8rem, 1.5fr)',
  },
  {
    key: 'may',
    name: (t) => t('tokens.may'),
    cell: (token, t) => <span title={mayOf(token, t)}>{mayOf(token, t)}</span>,
    value: mayOf,
    width: 'minmax(8rem, 2fr)',
    wideOnly: true,
    rank: 1,
  },
  {
    key: 'created',
    name: (t) => t('tokens.made'),
    cell: ({ createdAt }) => <When at={createdAt} />,
    value: ({ createdAt }) => createdAt,
    width: '9rem',
    wideOnly: true,
    rank: 3,
  },
  {
    key: 'used',
    name: (t) => t('tokens.used'),
    cell: ({ lastUsedAt }, t) =>
      lastUsedAt === null ? t('tokens.never') : <When at={lastUsedAt} />,
    value: ({ lastUsedAt }) => lastUsedAt ?? '',
    width: '9rem',
    wideOnly: true,
    rank: 2,
  },
  {
    key: 'ends',
    name: (t) => t('tokens.ends'),
    cell: ({ expiresAt }, t) =>
      expiresAt === null ? t('tokens.validFor.never') : <When at={expiresAt} />,
    value: ({ expiresAt }) => expiresAt ?? '9',
    width: '9rem',
  },
]

/** One's own tokens, by which programs use the API. What changes them is not pushed: they are nobody else's affair. */
export function Tokens(): ReactElement {
  const { t } = useTranslation()
  const [creating, setCreating] = useState(false)
  const [revoking, setRevoking] = useState<Token | null>(null)
  const tokens = useGet<{ tokens: Token[] }>(PATH, [])
  const lookAgain = (): void => {
    void queryClient.invalidateQueries({ queryKey: ['get', PATH] })
  }
  return (
    <>
      <PageHead title={t('tokens.title')} about={t('tokens.about')}>
        <Button
          onClick={() => {
            setCreating(true)
          }}
        >
          {t('tokens.create')}
        </Button>
      </PageHead>
      {creating && (
        <CreateToken
          made={lookAgain}
          close={() => {
            setCreating(false)
          }}
        />
      )}
      {revoking && (
        <Revoke
          token={revoking}
          at={path`/tokens/${revoking.name}`}
          revoked={lookAgain}
          close={() => {
            setRevoking(null)
          }}
        />
      )}
      <Loaded query={tokens}>
        {(data) => <TokenTable tokens={data.tokens} revoke={setRevoking} />}
      </Loaded>
    </>
  )
}

interface TokenTableProps {
  readonly tokens: readonly Token[]
  readonly revoke: (token: Token) => void
}

function TokenTable({ tokens, revoke }: TokenTableProps): ReactElement {
  const { t } = useTranslation()
  const columns = useColumns(COLUMNS)
  return (
    <DataTable
      label={t('tokens.title')}
      rows={tokens}
      columns={columns}
      idOf={({ name }) => name}
      nameOf={({ name }) => name}
      empty={t('tokens.none')}
      actions={(token) => (
        <Actions
          label={t('tokens.actionsOf', { name: token.name })}
          actions={[
            {
              name: t('tokens.revoke'),
              isDanger: true,
              onClick: () => {
                revoke(token)
              },
            },
          ]}
        />
      )}
    />
  )
}

/** `at`: where the token is, for the API. */
export function Revoke({
  token: { name },
  at,
  revoked,
  close,
}: {
  token: Token
  at: string
  revoked: () => void
  close: () => void
}): ReactElement {
  const { t } = useTranslation()
  const act = useAct(async () => {
    await api('DELETE', at)
  })
  const done = (): void => {
    revoked()
    close()
  }
  return (
    <Confirm
      title={t('tokens.revokeOf', { name })}
      action={t('tokens.revoke')}
      danger
      pending={act.isPending}
      error={act.error}
      close={close}
      onConfirm={() => {
        act.mutate(undefined, { onSuccess: done })
      }}
    >
      {t('tokens.revokeWhat', { name })}
    </Confirm>
  )
}
