import { Banner } from '@patternfly/react-core'
import { type ReactElement, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

/** A break that is over before it was seen is not worth a word. */
const PATIENCE_MS = 1_500

/** Says that what is shown may be old, for as long as the broker cannot tell what changes. */
export function ConnectionBanner({ connected }: { connected: boolean }): ReactElement {
  const { t } = useTranslation()
  const [shown, setShown] = useState(false)
  useEffect(() => {
    if (connected) {
      setShown(false)
      return
    }
    const timer = setTimeout(() => {
      setShown(true)
    }, PATIENCE_MS)
    return () => {
      clearTimeout(timer)
    }
  }, [connected])
  return (
    <div role="status">
      {shown && (
        <Banner color="yellow" className="berth-connection">
          {t('frame.connectionLost')}
        </Banner>
      )}
    </div>
  )
}
