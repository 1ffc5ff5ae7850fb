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
import { refusalWords } from './refusal-words.js'

/**
 * What a refusal says to the reader: in English the broker's own sentence, which names what is
 * wrong and what to do; in another language what the code of the closed list means, and then that
 * sentence. A refused field is called as its form calls it, and what is to be done is told as these
 * pages do it.
 */
export function sentenceOf(t: TFunction, error: ApiError): string {
  if (error.code === 'no_connection') return t('frame.noConnection')
  const refused = refusalWords(t, error)
  if (refused !== null) return refused
  const meaning: string = t(`errors.${error.code}` as 'errors.internal', { defaultValue: '' })
  const sentence = localTimes(pageWays(t, error.message))
  return meaning === '' ? sentence : `${meaning} (${sentence})`
}

const INSTANT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g

/** Instants in a sentence as the reader's clock shows them. */
function localTimes(sentence: string): string {
  return sentence.replace(INSTANT, (text) =>
    new Date(text).toLocaleString(document.documentElement.lang, {
      dateStyle: 'medium',
      timeStyle: 'short',
    }),
  )
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
