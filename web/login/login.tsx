import { Button, Form, FormGroup, LoginPage, TextInput } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { type FormEvent, type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'react-router'
import type { LoginProviders, Session } from '../../broker/api/users.js'
import { api, type ApiError } from '../api/client.js'
import { beginSession, useAct } from '../api/queries.js'
import { ErrorAlert, ErrorState } from '../frame/error-state.js'
import iconUrl from '../frame/icon.svg'

/**
 * Stands in the place of every page until somebody is logged in; the address stays, so they go on
 * where they wanted to.
 */
export function Login(): ReactElement {
  const { t } = useTranslation()
  const { pathname, search } = useLocation()
  const providers = useQuery<LoginProviders, ApiError>({
    queryKey: ['get', '/login/providers'],
    queryFn: async () => await api<LoginProviders>('GET', '/login/providers'),
  })
  const returnTo = encodeURIComponent(pathname === '/login' ? '/' : `${pathname}${search}`)
  return (
    <LoginPage
      loginTitle={t('login.title')}
      loginSubtitle={t('login.subtitle')}
      textContent={t('login.about')}
      brandImgSrc={iconUrl}
      brandImgAlt="Berth"
    >
      <PasswordForm />
      {providers.isError && (
        <ErrorState
          error={providers.error}
          again={() => {
            void providers.refetch()
          }}
        />
      )}
      {providers.data?.providers.map(({ name, title }) => (
        <Button
          key={name}
          variant="secondary"
          isBlock
          component="a"
          className="berth-provider"
          href={`/api/v1/login/oidc/${encodeURIComponent(name)}?returnTo=${returnTo}`}
        >
          {t('login.with', { provider: title })}
        </Button>
      ))}
    </LoginPage>
  )
}

function PasswordForm(): ReactElement {
  const { t } = useTranslation()
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const logIn = useAct(async (body: { name: string; password: string }) => {
    const session = await api<Session>('POST', '/session', { body })
    beginSession(session)
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    logIn.mutate(
      { name, password },
      {
        onError: () => {
          setPassword('')
        },
      },
    )
  }
  return (
    <Form onSubmit={submit}>
      <ErrorAlert error={logIn.error} title={t('login.refused')} />
      <NameField name={name} setName={setName} />
      <PasswordField password={password} setPassword={setPassword} />
      <Button
        type="submit"
        isBlock
        isLoading={logIn.isPending}
        isDisabled={logIn.isPending || name === '' || password === ''}
      >
        {t('login.logIn')}
      </Button>
    </Form>
  )
}

interface NameFieldProps {
  readonly name: string
  readonly setName: (name: string) => void
}

function NameField({ name, setName }: NameFieldProps): ReactElement {
  const { t } = useTranslation()
  return (
    <FormGroup label={t('login.name')} fieldId="login-name" isRequired>
      <TextInput
        id="login-name"
        name="name"
        autoComplete="username"
        autoCapitalize="none"
        autoFocus
        isRequired
        value={name}
        onChange={(_event, value) => {
          setName(value)
        }}
      />
    </FormGroup>
  )
}

interface PasswordFieldProps {
  readonly password: string
  readonly setPassword: (password: string) => void
}

function PasswordField({ password, setPassword }: PasswordFieldProps): ReactElement {
  const { t } = useTranslation()
  return (
    <FormGroup label={t('login.password')} fieldId="login-password" isRequired>
      <TextInput
        id="login-password"
        name="password"
        type="password"
        autoComplete="current-password"
        isRequired
        value={password}
        onChange={(_event, value) => {
          setPassword(value)
        }}
      />
    </FormGroup>
  )
}
