import { Card, CardBody, CardFooter, CardHeader, CardTitle } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Offer } from '../../broker/api/offers.js'
import { path } from '../api/client.js'
import { ErrorAlert } from '../frame/error-state.js'
import { StateLabel } from '../parts/state-label.js'
import { CardFacts } from './card-facts.js'
import { CardMenu, useDeeds } from './card-menu.js'
import { Ending } from './ending.js'
import { useGetDesktop } from './get-desktop.js'
import { GetSteps } from './get-steps.js'
import { isRunning, machineOf, stateOf } from './offer-state.js'
import { OpenButton } from './open-button.js'
import { useOpener } from './opener.js'
import { OpenerDialogues } from './opener-dialogues.js'
import { SystemPicture, systemOf } from './system-picture.js'

/** A pool or machine: what it is, how it stands, and the one thing that they most likely want. */
export function OfferCard({ offer }: { offer: Offer }): ReactElement {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const opener = useOpener(offer, (machine) => {
    void navigate(path`/machines/${machine}/console`)
  })
  const getting = useGetDesktop(offer, (desktop: Desktop) => {
    opener.open(opener.way, desktop.machine)
  })
  const deeds = useDeeds(offer)
  const id = `offer-${offer.kind}-${offer.name}`
  return (
    <Card isFullHeight className="berth-offer" aria-labelledby={id} component="article">
      <CardHeader
        actions={{
          actions: <CardMenu offer={offer} opener={opener} act={deeds} />,
          hasNoOffset: true,
        }}
      >
        <Head offer={offer} id={id} />
      </CardHeader>
      <CardBody className="berth-offer-body">
        <Ending offer={offer} />
        <ErrorAlert error={deeds.error} onClose={deeds.reset} />
        <ErrorAlert error={getting.error} title={t('desktops.notGot')} onClose={getting.forget} />
        <ErrorAlert error={opener.error} title={t('desktops.notOpened')} onClose={opener.forget} />
        <GetSteps offer={offer} getting={getting.getting} starting={opener.startingSince} />
        <CardFacts offer={offer} />
      </CardBody>
      <CardFooter>
        <OpenButton offer={offer} opener={opener} getting={getting} />
      </CardFooter>
      <OpenerDialogues offer={offer} opener={opener} />
    </Card>
  )
}

/** Its name, which has this `id`, and how it stands. */
function Head({ offer, id }: { offer: Offer; id: string }): ReactElement {
  const { t } = useTranslation()
  const { text, feeling } = stateOf(t, offer)
  const machine = machineOf(offer)
  return (
    <div className="berth-offer-head">
      <SystemPicture system={systemOf(offer)} lit={isRunning(offer)} />
      <div>
        <CardTitle component="h2" id={id}>
          {offer.name}
        </CardTitle>
        <div className="berth-offer-state">
          <StateLabel feeling={feeling}>{text}</StateLabel>
          {machine !== null && machine !== offer.name && (
            <span className="berth-machine">{machine}</span>
          )}
        </div>
      </div>
    </div>
  )
}
