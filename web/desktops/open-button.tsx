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

/** The one button of a card: get a desktop, leave the queue, or open what is there. */
export function OpenButton({
  offer,
  opener,
  getting,
}: {
  offer: Offer
  opener: Opener
  getting: GetDesktop
}): ReactElement | null {
  const { t } = useTranslation()
  const { kind, desktop, verbs, state } = offer
  if (canBeOpened(offer))
    return verbs.includes('accessConsole') ? <OpenSplit offer={offer} opener={opener} /> : null
  if (getting.getting?.queue)
    return (
      <Button variant="secondary" onClick={getting.leave}>
        {t('desktops.leaveQueue')}
      </Button>
    )
  const busy =
    getting.getting !== null || opener.startingSince !== null || desktop?.phase === 'preparing'
  if (kind === 'machine') {
    if (!verbs.includes('start') || state === 'maintenance')
      return (
        <p className="berth-hint">
          {state === 'maintenance' ? t('desktops.maintenanceNext') : t('desktops.mayNotStart')}
        </p>
      )
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
  if (state === 'maintenance' && !desktop)
    return <p className="berth-hint">{t('desktops.maintenanceNext')}</p>
  if (!verbs.includes('start')) return <p className="berth-hint">{t('desktops.mayNotStart')}</p>
  return (
    <Button onClick={getting.get} isLoading={busy} isDisabled={getting.getting !== null}>
      {desktop ? t('desktops.startAndOpen') : t('desktops.get')}
    </Button>
  )
}

/** Opens in the way that was chosen last; the others stand beside it. */
function OpenSplit({ offer, opener }: { offer: Offer; opener: Opener }): ReactElement {
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
        <MenuToggleAction
          key="open"
          onClick={() => {
            choose(opener.way)
          }}
          aria-label={t('desktops.openNamed', {
            name: offer.name,
            way: t(`desktops.ways.${opener.way}`),
          })}
        >
          {t(`desktops.open.${opener.way}`)}
        </MenuToggleAction>,
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
    </Dropdown>
  )
}
