import { Alert, AlertActionLink, Card, CardBody, CardFooter, CardHeader, CardTitle } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Offer } from '../../broker/api/offers.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { useNow } from '../parts/when.js'
import { StateLabel } from '../parts/state-label.js'
import { CardFacts } from './card-facts.js'
import { CardMenu, useDeeds } from './card-menu.js'
import { timeLeft } from './countdown.js'
import { useGetDesktop } from './get-desktop.js'
import { GetSteps } from './get-steps.js'
import { isRunning, machineOf, stateOf } from './offer-state.js'
import { OpenButton } from './open-button.js'
import { type Opener, useOpener } from './opener.js'
import { OpenerDialogues } from './opener-dialogues.js'
import { SystemPicture, systemOf } from './system-picture.js'

/** A pool or machine: what it is, how it stands, and the one thing that he most likely wants. */
export function OfferCard ({ offer }: { offer: Offer }): ReactElement {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const opener = useOpener(offer, (machine) => { void navigate(path`/machines/${machine}/console`) })
  const getting = useGetDesktop(offer, (desktop: Desktop) => { opener.open(opener.way, desktop.machine) })
  const { text, feeling } = stateOf(t, offer)
  const id = `offer-${offer.kind}-${offer.name}`
  const machine = machineOf(offer)
  const deeds = useDeeds(offer)
  return (
    <Card isFullHeight className="berth-offer" aria-labelledby={id} component="article">
      <CardHeader actions={{ actions: <CardMenu offer={offer} opener={opener} deeds={deeds} />, hasNoOffset: true }}>
        <div className="berth-offer-head">
          <SystemPicture system={systemOf(offer)} lit={isRunning(offer)} />
          <div>
            <CardTitle component="h2" id={id}>{offer.name}</CardTitle>
            <div className="berth-offer-state"><StateLabel feeling={feeling}>{text}</StateLabel>{machine !== null && machine !== offer.name && <span className="berth-machine">{machine}</span>}</div>
          </div>
        </div>
      </CardHeader>
      <CardBody className="berth-offer-body">
        <Warning offer={offer} />
        {deeds.asked === null && <ErrorAlert error={deeds.act.error} onClose={() => { deeds.act.reset() }} />}
        <ErrorAlert error={getting.error} title={t('desktops.notGot')} onClose={getting.forget} />
        <ErrorAlert error={opener.error} title={t('desktops.notOpened')} onClose={opener.forget} />
        <GetSteps offer={offer} getting={getting.getting} starting={opener.startingSince} />
        <CardFacts offer={offer} />
      </CardBody>
      <CardFooter><OpenButton offer={offer} opener={opener} getting={getting} /></CardFooter>
      <OpenerDialogues offer={offer} opener={opener as Opener} />
    </Card>
  )
}

/** Before anything is taken: what, when, and the way to keep it. */
function Warning ({ offer }: { offer: Offer }): ReactElement | null {
  const { t, i18n } = useTranslation()
  const now = useNow(1_000)
  const extend = useAct(async (machine: string) => { await api('POST', path`/machines/${machine}/extend`) })
  const { desktop, takenFor, verbs } = offer
  if (!desktop?.warning || takenFor === null) return null
  const left = timeLeft(Date.parse(desktop.warning.takenAt) - now, i18n.language)
  const link = verbs.includes('extend') && takenFor !== 'drain' ? { actionLinks: <AlertActionLink onClick={() => { extend.mutate(desktop.machine) }} isDisabled={extend.isPending}>{t('desktops.deeds.extend')}</AlertActionLink> } : {}
  return (
    <>
      <Alert variant="warning" isInline isLiveRegion title={t(`desktops.takenFor.${takenFor}`)} {...link}><span role="timer">{t('desktops.takenIn', { left })}</span></Alert>
      <ErrorAlert error={extend.error} />
    </>
  )
}
