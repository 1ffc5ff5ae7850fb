import { Alert, Button, Card, CardBody, CardTitle } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { LoginProviders, ProviderTest } from '../../broker/api/users.js'
import { api, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { Loaded } from '../parts/loaded.js'
import { StateLabel } from '../parts/state-label.js'

/** The OpenID Connect providers of the settings, each with a test of what a login needs. */
export function Providers({ mayTest }: { mayTest: boolean }): ReactElement {
  const providers = useGet<LoginProviders>('/login/providers', [])
  return (
    <Loaded query={providers}>
      {(data) => (
        <>
          {data.providers.map((provider) => (
            <Card key={provider.name} className="berth-below">
              <CardTitle component="h2">
                {provider.title}
                {provider.title !== provider.name && ` (${provider.name})`}, OpenID Connect
              </CardTitle>
              <CardBody>
                <Test name={provider.name} mayTest={mayTest} />
              </CardBody>
            </Card>
          ))}
        </>
      )}
    </Loaded>
  )
}

/** Asks it all that a login needs but the person, and says of each step how it went. */
function Test({ name, mayTest }: { name: string; mayTest: boolean }): ReactElement {
  const { t } = useTranslation()
  const test = useAct(
    async () => await api<ProviderTest>('POST', path`/login/oidc/${name}/test`, { body: {} }),
  )
  return (
    <>
      <p>{t('directories.providerAbout')}</p>
      {mayTest && (
        <Button
          variant="secondary"
          aria-label={t('directories.testOf', { name })}
          isLoading={test.isPending}
          isDisabled={test.isPending}
          onClick={() => {
            test.mutate(undefined)
          }}
        >
          {t('directories.test')}
        </Button>
      )}
      <ErrorAlert error={test.error} />
      {test.data && !test.isPending && <Steps test={test.data} />}
    </>
  )
}

function Steps({ test }: { test: ProviderTest }): ReactElement {
  const { t } = useTranslation()
  return (
    <Alert
      className="berth-below"
      isInline
      isLiveRegion
      variant={test.good ? 'success' : 'danger'}
      title={t(test.good ? 'directories.providerGood' : 'directories.providerBad')}
    >
      <ul className="berth-outcomes">
        {test.steps.map(({ step, good, said }) => (
          <li key={step}>
            <StateLabel feeling={good ? 'good' : 'bad'}>
              {t(good ? 'directories.stepGood' : 'directories.stepFault')}
            </StateLabel>{' '}
            <strong>{step}</strong>: {said}
          </li>
        ))}
      </ul>
    </Alert>
  )
}
