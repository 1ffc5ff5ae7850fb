import { EmptyState, EmptyStateBody } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'

export function NothingHere(): ReactElement {
  const { t } = useTranslation()
  return (
    <EmptyState headingLevel="h1" titleText={t('common.nothingHere')}>
      <EmptyStateBody>{t('common.nothingHereWhy')}</EmptyStateBody>
    </EmptyState>
  )
}
