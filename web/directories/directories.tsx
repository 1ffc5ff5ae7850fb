import {
  Alert,
  Button,
  Card,
  CardBody,
  CardTitle,
  EmptyState,
  EmptyStateBody,
  Form,
} from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Directory, DirectoryTest, Session } from '../../broker/api/users.js'
import { api, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { TextField } from '../parts/fields.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { Providers } from './providers.js'

/** The LDAP servers and domains from which people come; they are named in the settings, and tried here. */
export function Directories({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const directories = useGet<{ directories: Directory[] }>('/directories', [])
  return (
    <>
      <PageHead title={t('navigation.directories')} about={t('directories.about')} />
      <Loaded query={directories}>
        {(data) =>
          data.directories.length === 0 ? (
            <EmptyState headingLevel="h2" titleText={t('directories.none')}>
              <EmptyStateBody>{t('directories.noneWhy')}</EmptyStateBody>
            </EmptyState>
          ) : (
            <>
              {data.directories.map((directory) => (
                <OneOf
                  key={directory.name}
                  directory={directory}
                  mayTest={session.role === 'admin'}
                />
              ))}
            </>
          )
        }
      </Loaded>
      <Providers mayTest={session.role === 'admin'} />
    </>
  )
}

function OneOf({ directory, mayTest }: { directory: Directory; mayTest: boolean }): ReactElement {
  return (
    <Card className="berth-below">
      <CardTitle component="h2">
        {directory.name} ({directory.type})
      </CardTitle>
      <CardBody>
        <p className="berth-mono">
          {directory.urls.join(', ')} · {directory.base}
        </p>
        {mayTest && <Test name={directory.name} />}
      </CardBody>
    </Card>
  )
}

/** Goes the whole way of a login, and says what happened at each step; nobody is logged in by it. */
function Test({ name }: { name: string }): ReactElement {
  const { t } = useTranslation()
  const [user, setUser] = useState('')
  const [password, setPassword] = useState('')
  const test = useAct(
    async () =>
      await api<DirectoryTest>('POST', path`/directories/${name}/test`, {
        body: { user, ...(password === '' ? {} : { password }) },
      }),
  )
  return (
    <Form
      onSubmit={(event) => {
        event.preventDefault()
        test.mutate(undefined)
      }}
    >
      <TextField label={t('directories.user')} isRequired value={user} onChange={setUser} />
      <TextField
        label={t('directories.password')}
        type="password"
        value={password}
        onChange={setPassword}
        hint={t('directories.passwordHint')}
      />
      <div>
        <Button
          type="submit"
          variant="secondary"
          isLoading={test.isPending}
          isDisabled={test.isPending || user === ''}
        >
          {t('directories.test')}
        </Button>
      </div>
      <ErrorAlert error={test.error} />
      {test.data && <Result test={test.data} />}
    </Form>
  )
}

function Result({ test }: { test: DirectoryTest }): ReactElement {
  const { t } = useTranslation()
  return (
    <Alert
      isInline
      isLiveRegion
      variant={test.good ? 'success' : 'danger'}
      title={test.good ? t('directories.good') : t('directories.bad')}
    >
      <ol>
        {test.steps.map(({ step, said }) => (
          <li key={step}>
            <strong>{step}</strong>: {said}
          </li>
        ))}
      </ol>
      {test.name !== null && (
        <p>{t('directories.found', { name: test.name, dn: test.dn ?? '' })}</p>
      )}
      {test.groups.length > 0 && (
        <p>
          {t('directories.groups')}: {test.groups.join(' · ')}
        </p>
      )}
      <p>
        {t('people.roles')}: {test.roles.length === 0 ? '–' : test.roles.join(', ')}
      </p>
    </Alert>
  )
}
