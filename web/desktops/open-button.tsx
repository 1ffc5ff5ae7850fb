import {
  Button,
  Dropdown,
  DropdownItem,
  DropdownList,
  MenuToggle,
  MenuToggleAction,
  type MenuToggleElement,
} from '@patternfly/react-core'
import { type ReactElement, type Ref, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Offer } from '../../broker/api/offers.js'
import type { GetDesktop } from './get-desktop.js'
import { canBeOpened } from './offer-state.js'
import type { Opener } from './opener.js'
import { type Way, WAYS } from './opening.js'

interface OfferButtonProps {
  readonly offer: Offer
  readonly opener: Opener
  readonly getting: GetDesktop
}

/** The one button of a card: get a desktop, leave the queue, or open what is there. */
export function OpenButton(props: OfferButtonProps): ReactElement | null {
  const { offer, opener, getting } = props
  const { t } = useTranslation()
  if (canBeOpened(offer))
    return offer.verbs.includes('accessConsole') ? (
      <OpenSplit offer={offer} opener={opener} />
    ) : null
  if (getting.getting?.queue)
    return (
      <Button variant="secondary" onClick={getting.leave}>
        {t('desktops.leaveQueue')}
      </Button>
    )
  const hindrance = hindranceOf(offer)
  if (hindrance !== null) return <p className="berth-hint">{t(`desktops.${hindrance}`)}</p>
  return offer.kind === 'machine' ? <StartButton {...props} /> : <GetButton {...props} />
}

/** What a click would be refused for: a key of the catalogue, or null. */
function hindranceOf({
  kind,
  desktop,
  verbs,
  state,
}: Offer): 'maintenanceNext' | 'mayNotStart' | null {
  if (state === 'maintenance' && (kind === 'machine' || !desktop)) return 'maintenanceNext'
  return verbs.includes('start') ? null : 'mayNotStart'
}

function StartButton({ offer, opener, getting }: OfferButtonProps): ReactElement {
  const { t } = useTranslation()
  const busy = isBusy(offer, opener, getting)
  return (
    <Button
      onClick={opener.startAndOpen}
      isLoading={busy}
      isDisabled={busy || offer.power === 'unknown' || offer.power === 'missing'}
    >
      {t('desktops.startAndOpen')}
    </Button>
  )
}

function GetButton({ offer, opener, getting }: OfferButtonProps): ReactElement {
  const { t } = useTranslation()
  return (
    <Button
      onClick={getting.get}
      isLoading={isBusy(offer, opener, getting)}
      isDisabled={getting.getting !== null}
    >
      {offer.desktop ? t('desktops.startAndOpen') : t('desktops.get')}
    </Button>
  )
}

function isBusy({ desktop }: Offer, opener: Opener, { getting }: GetDesktop): boolean {
  return getting !== null || opener.startingSince !== null || desktop?.phase === 'preparing'
}

interface OpenSplitProps {
  readonly offer: Offer
  readonly opener: Opener
}

/** Opens in the way that was chosen last; the others stand beside it. */
function OpenSplit({ offer, opener }: OpenSplitProps): ReactElement {
  const { t } = useTranslation()
  const [shown, setShown] = useState(false)
  const choose = (way: Way): void => {
    setShown(false)
    opener.open(way)
  }
  const toggle = (ref: Ref<MenuToggleElement>): ReactElement => (
    <MenuToggle
      ref={ref}
      variant="primary"
      isExpanded={shown}
      isDisabled={opener.pending}
      onClick={() => {
        setShown(!shown)
      }}
      aria-label={t('desktops.otherWays', { name: offer.name })}
      splitButtonItems={[
        <OpenAction key="open" name={offer.name} way={opener.way} open={choose} />,
      ]}
    />
  )
  return (
    <Dropdown
      isOpen={shown}
      onOpenChange={setShown}
      shouldFocusToggleOnSelect
      toggle={toggle}
      popperProps={{ preventOverflow: true, maxWidth: 'calc(100vw - 1rem)' }}
    >
      <WayList choose={choose} />
    </Dropdown>
  )
}

interface OpenActionProps {
  readonly name: string
  readonly way: Way
  readonly open: (way: Way) => void
}

function OpenAction({ name, way, open }: OpenActionProps): ReactElement {
  const { t } = useTranslation()
  return (
    <MenuToggleAction
      onClick={() => {
        open(way)
      }}
      aria-label={t('desktops.openNamed', { name, way: t(`desktops.ways.${way}`) })}
    >
      {t(`desktops.open.${way}`)}
    </MenuToggleAction>
  )
}

function WayList({ choose }: { choose: (way: Way) => void }): ReactElement {
  const { t } = useTranslation()
  return (
    <DropdownList>
      {WAYS.map((way) => (
        <DropdownItem
          key={way}
          description={t(`desktops.waysAbout.${way}`)}
          onClick={() => {
            choose(way)
          }}
        >
          {t(`desktops.ways.${way}`)}
        </DropdownItem>
      ))}
    </DropdownList>
  )
}
