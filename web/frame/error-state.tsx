import {
  Alert,
  Button,
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
} from '@patternfly/react-core'
import type { TFunction } from 'i18next'
import { type ReactElement, useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import type { ApiError } from '../api/client.js'
import { pageWays } from './page-ways.js'
import { localTimes, reasonTold } from './reason-told.js'
import { refusalWords } from './refusal-words.js'

/**
 * What a refusal says to the reader, in their language: the sentence of its reason. A refused field
 * is called as its form calls it. In English, and where the broker knows a reason that these pages
 * do not, it is the broker's own sentence, with what is to be done told as these pages do it.
 */
export function sentenceOf(t: TFunction, error: ApiError): string {
  if (error.code === 'no_connection') return t('frame.noConnection')
  const told = refusalWords(t, error) ?? reasonTold(t, error)
  if (told !== null) return told
  const meaning: string = t(`errors.${error.code}` as 'errors.internal', { defaultValue: '' })
  const sentence = localTimes(pageWays(t, error.message))
  return meaning === '' ? sentence : `${meaning} (${sentence})`
}

/** Instead of what could not be loaded. */
export function ErrorState({ error, again }: { error: ApiError; again: () => void }): ReactElement {
  const { t } = useTranslation()
  return (
    <EmptyState status="danger" headingLevel="h2" titleText={t('frame.couldNotLoad')}>
      <EmptyStateBody>{sentenceOf(t, error)}</EmptyStateBody>
      <EmptyStateFooter>
        <EmptyStateActions>
          <Button variant="link" onClick={again}>
            {t('common.tryAgain')}
          </Button>
        </EmptyStateActions>
      </EmptyStateFooter>
    </EmptyState>
  )
}

/** Beside what was tried and refused. */
export function ErrorAlert({
  error,
  title,
  onClose,
}: {
  error: ApiError | null
  title?: string
  onClose?: () => void
}): ReactElement | null {
  const { t } = useTranslation()
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (error) place.current?.scrollIntoView({ block: 'nearest' })
  }, [error]) // a long form may hide it
  if (!error) return null
  const close = onClose
    ? {
        actionClose: (
          <Button variant="plain" aria-label={t('common.close')} onClick={onClose}>
            ×
          </Button>
        ),
      }
    : {}
  const details = error.details.flatMap((one) =>
    typeof one === 'object' && one !== null && 'message' in one ? [String(one.message)] : [],
  )
  return (
    <div ref={place}>
      <Alert variant="danger" isInline isLiveRegion title={title ?? t('frame.refused')} {...close}>
        {sentenceOf(t, error)}
        {details.length > 1 && (
          <ul>
            {details.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
        )}
      </Alert>
    </div>
  )
}
