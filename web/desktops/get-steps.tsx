import { List, ListItem, Spinner } from '@patternfly/react-core'
import { CheckCircleIcon } from '@patternfly/react-icons/dist/esm/icons/check-circle-icon'
import { ClockIcon } from '@patternfly/react-icons/dist/esm/icons/clock-icon'
import type { TFunction } from 'i18next'
import { type ReactElement, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import type { Offer } from '../../broker/api/offers.js'
import { useNow } from '../parts/when.js'
import { Countdown } from './countdown.js'
import type { Getting } from './get-desktop.js'

/** The broker looks for what takes its time once in a while, so an estimate is given in steps of this. */
const ESTIMATE_STEP_S = 5

/**
 * What happens on the way to a desktop, as it happens: each step by the broker's word, and how long
 * the one that is going on may last.
 */
export function GetSteps({
  offer,
  getting,
  starting,
}: {
  offer: Offer
  getting: Getting | null
  starting: number | null
}): ReactElement | null {
  const cleaned = useRef(false)
  const preparing = offer.desktop?.phase === 'preparing'
  if (!getting && !preparing && starting === null) {
    cleaned.current = false
    return null
  }
  cleaned.current ||= offer.step === 'cleaning'
  if (getting?.queue) return <Queue queue={getting.queue} />
  const begun = beganMs(offer, getting, starting)
  return <Steps offer={offer} wasCleaned={cleaned.current} begun={begun} />
}

function beganMs(
  { desktop }: Offer,
  getting: Getting | null,
  starting: number | null,
): number | null {
  if (starting !== null) return starting
  return desktop && (getting?.since ?? Date.parse(desktop.assignedAt))
}

/** `begun`: since when it starts; null: it does not yet. */
function Steps({
  offer,
  wasCleaned,
  begun,
}: {
  offer: Offer
  wasCleaned: boolean
  begun: number | null
}): ReactElement {
  const { t } = useTranslation()
  const { kind, desktop } = offer
  const isCleaning = offer.step === 'cleaning'
  return (
    <div role="status">
      <List isPlain className="berth-steps">
        {kind === 'pool' && <Given machine={desktop?.machine ?? null} />}
        {desktop && wasCleaned && <Cleaning isDone={!isCleaning} />}
        {begun !== null && !isCleaning && (
          <ListItem icon={<Busy />}>
            <Starting t={t} offer={offer} begun={begun} />
          </ListItem>
        )}
      </List>
    </div>
  )
}

/** `machine`: null while the broker looks for one. */
function Given({ machine }: { machine: string | null }): ReactElement {
  const { t } = useTranslation()
  return machine === null ? (
    <ListItem icon={<Busy />}>{t('desktops.steps.asking')}</ListItem>
  ) : (
    <ListItem icon={<Done />}>{t('desktops.steps.given', { machine })}</ListItem>
  )
}

function Cleaning({ isDone }: { isDone: boolean }): ReactElement {
  const { t } = useTranslation()
  return isDone ? (
    <ListItem icon={<Done />}>{t('desktops.steps.cleaned')}</ListItem>
  ) : (
    <ListItem icon={<Busy />}>{t('desktops.steps.cleaning')}</ListItem>
  )
}

function Starting({
  t,
  offer,
  begun,
}: {
  t: TFunction
  offer: Offer
  begun: number
}): ReactElement {
  const now = useNow(1_000)
  if (offer.step === 'host-away') return <>{t('desktops.steps.hostAway')}</>
  if (offer.step === 'retrying') return <>{t('desktops.steps.retrying')}</>
  if (offer.startMs === null) return <>{t('desktops.steps.starting')}</>
  const left = (begun + offer.startMs - now) / 1_000
  if (left <= 0)
    return (
      <>
        {now - begun > 3 * offer.startMs + 10_000
          ? t('desktops.steps.slow')
          : t('desktops.steps.soon')}
      </>
    )
  return (
    <>
      {t('desktops.steps.startingAbout', {
        seconds: Math.ceil(left / ESTIMATE_STEP_S) * ESTIMATE_STEP_S,
      })}
    </>
  )
}

function Queue({ queue }: { queue: NonNullable<Getting['queue']> }): ReactElement {
  const { t, i18n } = useTranslation()
  return (
    <div role="status" className="berth-queue">
      <ClockIcon aria-hidden="true" />{' '}
      <strong>{t('desktops.queue', { place: queue.place })}</strong>
      <div>
        {queue.nextFreeAt === null ? (
          t('desktops.queueNext')
        ) : (
          <>
            {t('desktops.queueNextIn')} <Countdown to={queue.nextFreeAt} language={i18n.language} />
            . {t('desktops.queueNext')}
          </>
        )}
      </div>
    </div>
  )
}

function Busy(): ReactElement {
  return <Spinner size="md" aria-hidden="true" />
}
function Done(): ReactElement {
  return <CheckCircleIcon className="berth-done" aria-hidden="true" />
}
