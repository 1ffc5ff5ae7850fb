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
import { PartMissing } from './lazy-part.js'

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
 * What could not be fetched is remembered by the browser until the page is reloaded, so only that
 * helps.
 */
function PageFault({ error }: FallbackProps): ReactElement {
  const { t } = useTranslation()
  const isMissing = error instanceof PartMissing
  const fault = error instanceof Error ? error.message : String(error)
  return (
    <EmptyState
      status="danger"
      headingLevel="h1"
      titleText={t(isMissing ? 'frame.partMissing' : 'frame.pageFault')}
    >
      <EmptyStateBody>
        {isMissing ? t('frame.partMissingWhy') : t('frame.pageFaultWhy', { fault })}
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
