import { Bullseye, Spinner } from '@patternfly/react-core'
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactElement, ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { ApiError } from '../api/client.js'
import { ErrorState } from '../frame/error-state.js'

/**
 * Shows what was asked for once it is there; what was there before stays while it is asked for
 * again, also when that fails.
 */
export function Loaded<T>({
  query,
  children,
}: {
  query: UseQueryResult<T, ApiError>
  children: (data: T) => ReactNode
}): ReactElement {
  const { t } = useTranslation()
  // What is gone is not shown any more; what only could not be asked for is.
  if (query.isError && (query.data === undefined || query.error.status === 404))
    return (
      <ErrorState
        error={query.error}
        again={() => {
          void query.refetch()
        }}
      />
    )
  if (query.data === undefined)
    return (
      <Bullseye className="berth-loading">
        <Spinner aria-label={t('common.loading')} />
      </Bullseye>
    )
  return <>{children(query.data)}</>
}
