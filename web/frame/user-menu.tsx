import {
  Divider,
  Dropdown,
  DropdownGroup,
  DropdownItem,
  DropdownList,
  MenuToggle,
  Toolbar,
  ToolbarContent,
  ToolbarItem,
} from '@patternfly/react-core'
import { CheckIcon } from '@patternfly/react-icons/dist/esm/icons/check-icon'
import { UserIcon } from '@patternfly/react-icons/dist/esm/icons/user-icon'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type { Session } from '../../broker/api/users.js'
import { api } from '../api/client.js'
import { beginSession, useAct } from '../api/queries.js'
import { chooseLanguage, type Language, LANGUAGES } from '../language/catalogue.js'
import { PasswordDialogue } from '../login/password-dialogue.js'
import { chosenTheme, chooseTheme, type Theme, THEMES } from './theme.js'

/** Who is logged in, and what is their own affair: language, light or dark, password, the way out. */
export function UserMenu({ session }: { session: Session }): ReactElement {
  const [changing, setChanging] = useState(false)
  return (
    <Toolbar isFullHeight isStatic>
      <ToolbarContent>
        <ToolbarItem align={{ default: 'alignEnd' }}>
          <OwnMenu
            session={session}
            changePassword={() => {
              setChanging(true)
            }}
          />
        </ToolbarItem>
      </ToolbarContent>
      {changing && (
        <PasswordDialogue
          close={() => {
            setChanging(false)
          }}
        />
      )}
    </Toolbar>
  )
}

interface OwnMenuProps {
  readonly session: Session
  readonly changePassword: () => void
}

function OwnMenu({ session, changePassword }: OwnMenuProps): ReactElement {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const shown = session.displayName === '' ? session.name : session.displayName
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      shouldFocusToggleOnSelect
      popperProps={{ position: 'right' }}
      toggle={(ref) => (
        <MenuToggle
          ref={ref}
          icon={<UserIcon />}
          isExpanded={open}
          onClick={() => {
            setOpen(!open)
          }}
          aria-label={t('frame.userMenu', { name: shown })}
        >
          {shown}
        </MenuToggle>
      )}
    >
      <Languages />
      <Divider />
      <Themes />
      <Divider />
      <OwnAffairs
        session={session}
        close={() => {
          setOpen(false)
        }}
        changePassword={changePassword}
      />
    </Dropdown>
  )
}

interface OwnAffairsProps extends OwnMenuProps {
  readonly close: () => void
}

function OwnAffairs({ session, close, changePassword }: OwnAffairsProps): ReactElement {
  const { t } = useTranslation()
  const logOut = useLogOut()
  const navigate = useNavigate()
  return (
    <DropdownList>
      <DropdownItem
        onClick={() => {
          close()
          void navigate('/device')
        }}
      >
        {t('frame.confirmDevice')}
      </DropdownItem>
      <DropdownItem
        onClick={() => {
          close()
          void navigate('/tokens')
        }}
      >
        {t('frame.tokens')}
      </DropdownItem>
      {session.source === 'local' && (
        <DropdownItem
          onClick={() => {
            close()
            changePassword()
          }}
        >
          {t('frame.changePassword')}
        </DropdownItem>
      )}
      <DropdownItem
        onClick={() => {
          logOut.mutate(undefined)
        }}
      >
        {t('frame.logOut')}
      </DropdownItem>
    </DropdownList>
  )
}

function useLogOut() {
  return useAct<undefined>(async () => {
    const { goTo } = await api<{ goTo: string | null }>('DELETE', '/session')
    beginSession(null)
    if (goTo !== null) window.location.assign(goTo) // the provider ends its own session too
  })
}

function Languages(): ReactElement {
  const { t, i18n } = useTranslation()
  return (
    <DropdownGroup label={t('frame.language')}>
      <DropdownList>
        {Object.entries(LANGUAGES).map(([language, name]) => (
          <DropdownItem
            key={language}
            lang={language}
            icon={<Chosen is={i18n.language === language} />}
            onClick={() => {
              void chooseLanguage(language as Language)
            }}
          >
            {name}
          </DropdownItem>
        ))}
      </DropdownList>
    </DropdownGroup>
  )
}

function Themes(): ReactElement {
  const { t } = useTranslation()
  const [theme, setTheme] = useState<Theme>(chosenTheme())
  const choose = (one: Theme): void => {
    chooseTheme(one)
    setTheme(one)
  }
  return (
    <DropdownGroup label={t('frame.theme')}>
      <DropdownList>
        {THEMES.map((one) => (
          <DropdownItem
            key={one}
            icon={<Chosen is={theme === one} />}
            onClick={() => {
              choose(one)
            }}
          >
            {t(`frame.themes.${one}`)}
          </DropdownItem>
        ))}
      </DropdownList>
    </DropdownGroup>
  )
}

function Chosen({ is }: { is: boolean }): ReactElement {
  return <span className="berth-chosen">{is && <CheckIcon />}</span>
}
