import { Button, Card, CardBody, CardTitle } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Session, Token, User } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { queryClient, useGet } from '../api/queries.js'
import { Loaded } from '../parts/loaded.js'
import { When } from '../parts/when.js'
import { scopeName } from '../tokens/scopes.js'
import { Revoke } from '../tokens/tokens.js'

/** Somebody's tokens: an administrator revokes them, others see them. Each that comes or goes is an event. */
export function PersonTokens({ user, session }: { user: User; session: Session }): ReactElement {
  const { t } = useTranslation()
  const at = path`/users/${user.name}/tokens`
  const tokens = useGet<{ tokens: Token[] }>(at, ['people', 'events'])
  const [revoking, setRevoking] = useState<Token | null>(null)
  return (
    <Card>
      <CardTitle component="h2">{t('people.tokens')}</CardTitle>
      <CardBody>
        {revoking && (
          <Revoke
            token={revoking}
            at={`${at}/${revoking.id}`}
            revoked={() => {
              void queryClient.invalidateQueries({ queryKey: ['get', at] })
            }}
            close={() => {
              setRevoking(null)
            }}
          />
        )}
        <Loaded query={tokens}>
          {(data) =>
            data.tokens.length === 0 ? (
              <>{t('people.noTokens')}</>
            ) : (
              <Rows tokens={data.tokens} revoke={session.role === 'admin' ? setRevoking : null} />
            )
          }
        </Loaded>
      </CardBody>
    </Card>
  )
}

interface RowsProps {
  readonly tokens: readonly Token[]
  readonly revoke: ((token: Token) => void) | null
}

function Rows({ tokens, revoke }: RowsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <Table aria-label={t('people.tokens')} variant="compact">
      <Thead>
        <Tr>
          <Th>{t('tokens.name')}</Th>
          <Th>{t('people.tokenKind')}</Th>
          <Th>{t('tokens.may')}</Th>
          <Th>{t('tokens.used')}</Th>
          <Th>{t('tokens.ends')}</Th>
          <Th screenReaderText={t('tokens.revoke')} />
        </Tr>
      </Thead>
      <Tbody>
        {tokens.map((token) => (
          <TokenRow key={token.id} token={token} revoke={revoke} />
        ))}
      </Tbody>
    </Table>
  )
}

interface TokenRowProps extends Pick<RowsProps, 'revoke'> {
  readonly token: Token
}

function TokenRow({ token, revoke }: TokenRowProps): ReactElement {
  const { t } = useTranslation()
  return (
    <Tr>
      <Td dataLabel={t('tokens.name')}>{token.name}</Td>
      <Td dataLabel={t('people.tokenKind')}>{t(`people.tokenKinds.${token.kind}`)}</Td>
      <Td dataLabel={t('tokens.may')}>
        {token.scopes === null
          ? t('people.tokenAll')
          : token.scopes.map((scope) => scopeName(t, scope)).join(', ')}
      </Td>
      <Td dataLabel={t('tokens.used')}>
        {token.lastUsedAt === null ? t('tokens.never') : <When at={token.lastUsedAt} />}
      </Td>
      <Td dataLabel={t('tokens.ends')}>
        {token.expiresAt === null ? t('tokens.validFor.never') : <When at={token.expiresAt} />}
      </Td>
      <Td>
        {revoke && (
          <Button
            variant="link"
            isDanger
            aria-label={t('tokens.revokeOf', { name: token.name })}
            onClick={() => {
              revoke(token)
            }}
          >
            {t('tokens.revoke')}
          </Button>
        )}
      </Td>
    </Tr>
  )
}
