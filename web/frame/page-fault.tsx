import {
  Button,
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
} from '@patternfly/react-core'
import type { ReactElement, ReactNode } from 'react'
import { ErrorBoundary, type FallbackProps } from 'react-error-boundary'
import { useTranslation } from 'react-i18next'

/** Shows a fault of a page instead of nothing at all. Another `place` is another try. */
export function FaultBoundary({
  place,
  children,
}: {
  place: string
  children: ReactNode
}): ReactElement {
  return (
    <ErrorBoundary FallbackComponent={PageFault} resetKeys={[place]}>
      {children}
    </ErrorBoundary>
  )
}

/**
 * A part that could not be fetched is the usual cause: the broker was renewed while the page was
 * open. What was fetched wrongly is remembered until the page is loaded anew.
 */
function PageFault({ error }: FallbackProps): ReactElement {
  const { t } = useTranslation()
  return (
    <EmptyState status="danger" headingLevel="h1" titleText={t('frame.pageFault')}>
      <EmptyStateBody>
        {t('frame.pageFaultWhy', { fault: error instanceof Error ? error.message : String(error) })}
      </EmptyStateBody>
      <EmptyStateFooter>
        <EmptyStateActions>
          <Button
            onClick={() => {
              window.location.reload()
            }}
          >
            {t('frame.reload')}
          </Button>
        </EmptyStateActions>
      </EmptyStateFooter>
    </EmptyState>
  )
}
