import type { ReactElement, ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Connection, Offer } from '../../broker/api/offers.js'
import { When } from '../parts/when.js'
import { Countdown } from './countdown.js'
import { endOf } from './offer-state.js'

/** Since when, how long, and who else: only what there is something to say of. */
export function CardFacts({ offer }: { offer: Offer }): ReactElement {
  const { t } = useTranslation()
  const { desktop, connected, reason, state } = offer
  const watchers = desktop?.watchedBy ?? []
  return (
    <dl className="berth-facts">
      {state === 'maintenance' && reason !== '' && (
        <Fact name={t('desktops.reason')}>{reason}</Fact>
      )}
      {desktop && (
        <Fact name={t('desktops.since')}>
          <When at={desktop.assignedAt} />
        </Fact>
      )}
      <TimeLeft offer={offer} />
      {connected.length > 0 && (
        <Fact name={t('desktops.connected')}>
          {connected.map((one) => (
            <Connected key={`${one.address} ${one.since}`} one={one} />
          ))}
        </Fact>
      )}
      {watchers.length > 0 && (
        <Fact name={t('desktops.watchedBy')}>
          <strong>{watchers.join(', ')}</strong>
        </Fact>
      )}
      <Waiting offer={offer} />
    </dl>
  )
}

/** Until when it is theirs, or that nothing takes it from them. */
function TimeLeft({ offer }: { offer: Offer }): ReactElement | null {
  const { t, i18n } = useTranslation()
  const { desktop } = offer
  const end = endOf(offer)
  if (end !== null) {
    const isSession = desktop?.sessionEndsAt != null
    return (
      <Fact name={t(isSession ? 'desktops.sessionLeft' : 'desktops.timeLeft')}>
        <Countdown to={end} language={i18n.language} />
      </Fact>
    )
  }
  if (!desktop || desktop.phase === 'preparing') return null
  const isKeptByConnection =
    desktop.connectedAt !== null && desktop.phase === 'connected' && desktop.pool !== null
  return (
    <Fact name={t('desktops.timeLeft')}>
      {t(isKeptByConnection ? 'desktops.whileConnected' : 'desktops.noEnd')}
    </Fact>
  )
}

function Waiting({ offer: { desktop, state, waiting } }: { offer: Offer }): ReactElement | null {
  const { t } = useTranslation()
  if (desktop || state !== 'full' || !waiting) return null
  return <Fact name={t('desktops.waiting')}>{waiting}</Fact>
}

function Fact({ name, children }: { name: string; children: ReactNode }): ReactElement {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function Connected({
  one: { who, you, device, address, since },
}: {
  one: Connection
}): ReactElement {
  const { t } = useTranslation()
  const name = you
    ? t('desktops.you')
    : who === null
      ? t('desktops.somebody')
      : device
        ? t('desktops.device', { mac: who })
        : who
  return (
    <span className="berth-connected">
      {name}
      {address !== '' && <> {t('desktops.from', { address })}</>}, <When at={since} />
    </span>
  )
}
