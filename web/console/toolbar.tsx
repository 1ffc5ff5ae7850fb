import {
  Button,
  Dropdown,
  DropdownGroup,
  DropdownItem,
  DropdownList,
  Divider,
  MenuToggle,
} from '@patternfly/react-core'
import { ArrowLeftIcon } from '@patternfly/react-icons/dist/esm/icons/arrow-left-icon'
import { CompressIcon } from '@patternfly/react-icons/dist/esm/icons/compress-icon'
import { ExpandIcon } from '@patternfly/react-icons/dist/esm/icons/expand-icon'
import { KeyboardIcon } from '@patternfly/react-icons/dist/esm/icons/keyboard-icon'
import { PasteIcon } from '@patternfly/react-icons/dist/esm/icons/paste-icon'
import { SearchPlusIcon } from '@patternfly/react-icons/dist/esm/icons/search-plus-icon'
import type RFB from '@novnc/novnc'
import { type ReactElement, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { COMBINATIONS, functionKey, press } from './keys.js'
import { PhoneKeyboard } from './phone-keyboard.js'
import { chooseScaling, type Scaling, SCALINGS } from './scaling.js'
import { ToWhereFrom, useBackName } from './to-desktops.js'

interface ToolbarProps {
  readonly machine: string
  /** Keys go to it; null: they only look, or there is no screen. */
  readonly rfb: RFB | null
  readonly mayPaste: boolean
  readonly scaling: Scaling
  readonly setScaling: (scaling: Scaling) => void
  readonly isKeyboardShown: boolean
  readonly paste: () => void
  readonly toggleKeyboard: () => void
}

/** What can be done with a screen besides working on it, and the way back. */
export function Toolbar(props: ToolbarProps): ReactElement {
  const { machine, rfb, scaling, setScaling } = props
  const { t } = useTranslation()
  const back = useBackName()
  return (
    <header className="berth-console-bar">
      <Button
        title={back}
        variant="plain"
        aria-label={back}
        component={ToWhereFrom}
        icon={<ArrowLeftIcon />}
      />
      <h1 className="berth-console-name">{machine}</h1>
      <div className="berth-console-tools" role="toolbar" aria-label={t('console.tools')}>
        {rfb && <KeyTools {...props} rfb={rfb} />}
        <ScalingMenu
          scaling={scaling}
          choose={(one) => {
            chooseScaling(one)
            setScaling(one)
          }}
        />
        <FullScreen />
      </div>
    </header>
  )
}

/** What sends keys to the machine. */
function KeyTools({
  rfb,
  mayPaste,
  isKeyboardShown,
  paste,
  toggleKeyboard,
}: ToolbarProps & { rfb: RFB }): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <KeyMenu rfb={rfb} />
      {mayPaste && (
        <Button
          title={t('console.paste')}
          variant="plain"
          aria-label={t('console.paste')}
          icon={<PasteIcon />}
          onClick={paste}
        />
      )}
      <PhoneKeyboard to={rfb} />
      <Button
        title={t('console.keyboard')}
        variant="plain"
        aria-label={t('console.keyboard')}
        aria-pressed={isKeyboardShown}
        isClicked={isKeyboardShown}
        icon={<KeyboardIcon />}
        onClick={toggleKeyboard}
      />
    </>
  )
}

type Combination = (typeof COMBINATIONS)[number]

const FUNCTION_KEYS: typeof COMBINATIONS = Array.from({ length: 12 }, (_, index) => ({
  name: `F${index + 1}`,
  keys: [functionKey(index + 1)],
}))

function KeyMenu({ rfb }: { rfb: RFB }): ReactElement {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const send = (keys: Combination['keys']): void => {
    setOpen(false)
    press(rfb, keys)
    rfb.focus()
  }
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      isScrollable
      popperProps={{ position: 'right' }}
      toggle={(ref) => (
        <MenuToggle
          ref={ref}
          variant="plainText"
          isExpanded={open}
          onClick={() => {
            setOpen(!open)
          }}
        >
          {t('console.keys')}
        </MenuToggle>
      )}
    >
      <KeyList combinations={COMBINATIONS} send={send} />
      <Divider />
      <DropdownGroup label={t('console.functionKeys')}>
        <KeyList combinations={FUNCTION_KEYS} send={send} />
      </DropdownGroup>
      <Divider />
      <DropdownList>
        <DropdownItem isDisabled>{t('console.leaveScreen')}</DropdownItem>
      </DropdownList>
    </Dropdown>
  )
}

interface KeyListProps {
  readonly combinations: readonly Combination[]
  readonly send: (keys: Combination['keys']) => void
}

function KeyList({ combinations, send }: KeyListProps): ReactElement {
  return (
    <DropdownList>
      {combinations.map(({ name, keys }) => (
        <DropdownItem
          key={name}
          onClick={() => {
            send(keys)
          }}
        >
          {name}
        </DropdownItem>
      ))}
    </DropdownList>
  )
}

interface ScalingMenuProps {
  readonly scaling: Scaling
  readonly choose: (scaling: Scaling) => void
}

function ScalingMenu({ scaling, choose }: ScalingMenuProps): ReactElement {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      shouldFocusToggleOnSelect
      popperProps={{ position: 'right' }}
      toggle={(ref) => (
        <MenuToggle
          ref={ref}
          variant="plain"
          aria-label={t('console.scaling')}
          icon={<SearchPlusIcon />}
          isExpanded={open}
          onClick={() => {
            setOpen(!open)
          }}
        />
      )}
    >
      <DropdownList>
        {SCALINGS.map((one) => (
          <DropdownItem
            key={one}
            isSelected={one === scaling}
            description={t(`console.scalingsAbout.${one}`)}
            onClick={() => {
              setOpen(false)
              choose(one)
            }}
          >
            {t(`console.scalings.${one}`)}
          </DropdownItem>
        ))}
      </DropdownList>
    </Dropdown>
  )
}

/**
 * Keys that the browser would keep for itself go to the screen in full screen, where it lets them
 * (the Keyboard Lock API).
 */
interface WithKeyboard {
  readonly keyboard?: { lock?: () => Promise<void>; unlock?: () => void }
}

/**
 * The whole document, not the screen alone: what is beside the element that fills the screen is not
 * drawn, and dialogues are. Ends with the page.
 */
function FullScreen(): ReactElement | null {
  const { t } = useTranslation()
  const [full, setFull] = useState(false)
  useEffect(() => {
    const look = (): void => {
      setFull(document.fullscreenElement !== null)
    }
    document.addEventListener('fullscreenchange', look)
    return () => {
      document.removeEventListener('fullscreenchange', look)
      if (document.fullscreenElement !== null) void document.exitFullscreen()
    }
  }, [])
  if (!document.fullscreenEnabled) return null // phones of some makers
  const { keyboard } = navigator as WithKeyboard
  const toggle = (): void => {
    if (full)
      void document.exitFullscreen().then(() => {
        keyboard?.unlock?.()
      })
    else
      void document.documentElement
        .requestFullscreen()
        .then(() => keyboard?.lock?.())
        .catch(() => {
          setFull(false)
        })
  }
  const name = full ? t('console.leaveFullScreen') : t('console.fullScreen')
  return (
    <Button
      variant="plain"
      aria-label={name}
      title={name}
      icon={full ? <CompressIcon /> : <ExpandIcon />}
      onClick={toggle}
    />
  )
}
