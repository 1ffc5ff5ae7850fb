import { Alert, AlertActionLink, Banner } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { Offer, OfferList } from '../../broker/api/offers.js'
import { api, type ApiError, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { ErrorAlert, sentenceOf } from '../frame/error-state.js'
import { useNow } from '../parts/when.js'
import { timeLeft } from './countdown.js'
import { OFFERS, OFFERS_TOPICS } from './get-desktop.js'
import { machineOf } from './offer-state.js'

/** title: what is taken and why; left: in how long. `extend`: the way to keep it, where there is one and they may. */
interface End {
  readonly title: string
  readonly left: string
  readonly extend: (() => void) | null
  readonly pending: boolean
  readonly error: ApiError | null
}

function useEnd(offer: Offer | undefined): End | null {
  const { t, i18n } = useTranslation()
  const now = useNow(1_000)
  const extend = useAct(async (machine: string) => {
    await api('POST', path`/machines/${machine}/extend`)
  })
  const { desktop = null, takenFor = null, verbs = [] } = offer ?? {}
  if (!desktop?.warning || takenFor === null) return null
  const mayExtend = verbs.includes('extend') && takenFor !== 'drain' // a host that is being emptied waits for nobody
  return {
    title: t(`desktops.takenFor.${takenFor}`),
    left: t('desktops.takenIn', {
      left: timeLeft(Date.parse(desktop.warning.takenAt) - now, i18n.language),
    }),
    extend: mayExtend
      ? () => {
          extend.mutate(desktop.machine)
        }
      : null,
    pending: extend.isPending,
    error: extend.error,
  }
}

/** On a card, before anything is taken: what, when, and the way to keep it; and what an administrator has to say. */
export function Ending({ offer }: { offer: Offer }): ReactElement | null {
  const { t } = useTranslation()
  const end = useEnd(offer)
  const notice = offer.desktop?.notice ?? ''
  return (
    <>
      {end && (
        <Alert
          variant="warning"
          isInline
          isLiveRegion
          title={end.title}
          {...(end.extend
            ? {
                actionLinks: (
                  <AlertActionLink onClick={end.extend} isDisabled={end.pending}>
                    {t('desktops.deeds.extend')}
                  </AlertActionLink>
                ),
              }
            : {})}
        >
          <span role="timer" aria-live="off">
            {end.left}
          </span>
        </Alert>
      )}
      {notice !== '' && <Alert variant="info" isInline isLiveRegion title={notice} />}
      <ErrorAlert error={end?.error ?? null} />
    </>
  )
}

/** The same for the person who works at the screen of `machine`. */
export function EndingBanner({ machine }: { machine: string }): ReactElement | null {
  const { t } = useTranslation()
  const offers = useGet<OfferList>(OFFERS, OFFERS_TOPICS)
  const offer = offers.data?.offers.find(
    (one) => one.desktop !== null && machineOf(one) === machine,
  )
  const end = useEnd(offer)
  const notice = offer?.desktop?.notice ?? ''
  return (
    <>
      {end && (
        <Banner color="yellow">
          {end.title}.{' '}
          <span role="timer" aria-live="off">
            {end.left}
          </span>
          {end.extend && (
            <>
              {' '}
              <button
                type="button"
                className="berth-banner-close"
                disabled={end.pending}
                onClick={end.extend}
              >
                {t('desktops.deeds.extend')}
              </button>
            </>
          )}
          {end.error && <> {sentenceOf(t, end.error)}</>}
        </Banner>
      )}
      {notice !== '' && <Banner color="blue">{notice}</Banner>}
    </>
  )
}
