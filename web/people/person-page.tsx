import { Card, CardBody, CardTitle, Content, Grid, GridItem } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useParams } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Permissions } from '../../broker/api/permissions.js'
import type { Session, User } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { Instant, When } from '../parts/when.js'
import { PersonState } from './people.js'
import { PersonTokens } from './person-tokens.js'
import { PersonActions } from './person-actions.js'

/** One person: what is known of them, what they have, and what they may do and why. */
export function PersonPage({ session }: { session: Session }): ReactElement {
  const { name = '' } = useParams()
  const user = useGet<User>(path`/users/${name}`, ['people'])
  return <Loaded query={user}>{(data) => <Details user={data} session={session} />}</Loaded>
}

interface DetailsProps {
  readonly user: User
  readonly session: Session
}

function Details({ user, session }: DetailsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <PageHead
        title={user.name}
        above={[{ to: '/people', name: t('navigation.people') }]}
        about={user.displayName}
      >
        <PersonState user={user} />
        {session.role === 'admin' && <PersonActions user={user} self={session.name} />}
      </PageHead>
      <Grid hasGutter>
        <GridItem lg={4}>
          <Account user={user} />
        </GridItem>
        <GridItem lg={8}>
          <Desktops user={user} />
        </GridItem>
        <GridItem>
          <PersonTokens user={user} session={session} />
        </GridItem>
        <GridItem>
          <Explained user={user} />
        </GridItem>
      </Grid>
    </>
  )
}

function Account({ user }: { user: User }): ReactElement {
  const { t } = useTranslation()
  return (
    <Card isFullHeight>
      <CardTitle component="h2">{t('people.account')}</CardTitle>
      <CardBody>
        <Content component="p">
          {t('people.source')}: {user.source}
        </Content>
        <Content component="p">
          {t('people.created')}: <Instant at={user.createdAt} />
        </Content>
        <Content component="p">
          {t('people.lastLogin')}: <When at={user.lastLoginAt} />
        </Content>
        <Content component="p">
          {t('people.roles')}:{' '}
          {user.roles.length === 0
            ? '–'
            : user.roles.map(({ role, source }) => `${role} (${source})`).join(', ')}
        </Content>
      </CardBody>
    </Card>
  )
}

function Desktops({ user }: { user: User }): ReactElement {
  const { t } = useTranslation()
  const desktops = useGet<{ desktops: Desktop[] }>('/desktops', ['desktops', 'machines'])
  const own = (all: readonly Desktop[]): Desktop[] =>
    all.filter(({ holder }) => holder.toLowerCase() === user.name.toLowerCase())
  return (
    <Card isFullHeight>
      <CardTitle component="h2">{t('people.desktops')}</CardTitle>
      <CardBody>
        <Loaded query={desktops}>
          {(data) =>
            own(data.desktops).length === 0 ? (
              <>{t('people.noDesktops')}</>
            ) : (
              <ul>
                {own(data.desktops).map((desktop) => (
                  <li key={desktop.machine}>
                    <Link to={`/machines/${desktop.machine}`}>{desktop.machine}</Link>{' '}
                    {desktop.pool !== null && <>({desktop.pool})</>} — {desktop.sentence}
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      </CardBody>
    </Card>
  )
}

/** What all grants and roles come to, each with its reason. */
function Explained({ user }: { user: User }): ReactElement {
  const { t } = useTranslation()
  const permissions = useGet<Permissions>(path`/users/${user.name}/permissions`, [
    'people',
    'grants',
    'pools',
    'machines',
  ])
  return (
    <Card>
      <CardTitle component="h2">{t('people.permissions')}</CardTitle>
      <CardBody>
        <Loaded query={permissions}>
          {({ role, objects }) => (
            <>
              <p>{t(`people.siteRole.${role}`)}</p>
              {objects.length > 0 && <PermissionTable objects={objects} />}
            </>
          )}
        </Loaded>
      </CardBody>
    </Card>
  )
}

interface PermissionTableProps {
  readonly objects: Permissions['objects']
}

function PermissionTable({ objects }: PermissionTableProps): ReactElement {
  const { t } = useTranslation()
  return (
    <Table aria-label={t('people.permissions')} variant="compact">
      <Thead>
        <Tr>
          <Th>{t('people.object')}</Th>
          <Th>{t('people.may')}</Th>
          <Th>{t('people.because')}</Th>
        </Tr>
      </Thead>
      <Tbody>
        {objects.map(({ kind, object, verbs, because }) => (
          <Tr key={`${kind} ${object}`}>
            <Td dataLabel={t('people.object')}>
              <Link to={`/${kind}s/${object}`}>
                {t(`kinds.${kind}`)} {object}
              </Link>
            </Td>
            <Td dataLabel={t('people.may')}>
              {verbs.map((verb) => t(`verbs.${verb}`)).join(', ')}
            </Td>
            <Td dataLabel={t('people.because')}>
              {because.map((sentence) => (
                <div key={sentence}>{sentence}</div>
              ))}
            </Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  )
}
