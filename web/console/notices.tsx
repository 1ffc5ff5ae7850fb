import { Banner } from '@patternfly/react-core'
import { EyeIcon } from '@patternfly/react-icons/dist/esm/icons/eye-icon'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Screen as Ticket } from '../../broker/api/consoles.js'
import type { Session } from '../../broker/api/users.js'
import { EndingBanner } from '../desktops/ending.js'

interface NoticesProps {
  readonly machine: string
  readonly watchers: readonly string[]
  readonly viewOnly: boolean
  readonly taken: Ticket['taken'] | null
  readonly session: Session
}

/**
 * What the person before the screen must know: that it is taken soon, that somebody looks, that they
 * only look themselves, whose screen they have taken.
 */
export function Notices({
  machine,
  watchers,
  viewOnly,
  taken,
  session,
}: NoticesProps): ReactElement {
  const { t } = useTranslation()
  const [seen, setSeen] = useState(false)
  const from = taken?.from?.name
  return (
    <div role="status">
      {!viewOnly && <EndingBanner machine={machine} />}
      {watchers.length > 0 && (
        <Banner color="orange" screenReaderText={t('console.watched')}>
          <EyeIcon /> {t('console.watchedBy', { who: watchers.join(', ') })}
        </Banner>
      )}
      {viewOnly && (
        <Banner color="blue" screenReaderText={t('console.viewOnly')}>
          <EyeIcon /> {t('console.viewOnlyWhy')}
        </Banner>
      )}
      {taken && from !== session.name && !seen && (
        <Banner color="blue">
          {from === undefined ? t('console.taken') : t('console.takenFrom', { from })}{' '}
          <button
            type="button"
            className="berth-banner-close"
            onClick={() => {
              setSeen(true)
            }}
          >
            {t('common.close')}
          </button>
        </Banner>
      )}
    </div>
  )
}
