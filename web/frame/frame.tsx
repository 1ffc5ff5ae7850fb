import {
  Masthead,
  MastheadBrand,
  MastheadContent,
  MastheadMain,
  MastheadToggle,
  Nav,
  NavGroup,
  NavItem,
  Page,
  PageContext,
  PageSection,
  PageSidebar,
  PageSidebarBody,
  PageToggleButton,
  SkipToContent,
} from '@patternfly/react-core'
import { BarsIcon } from '@patternfly/react-icons/dist/esm/icons/bars-icon'
import { type ReactElement, type ReactNode, useContext, useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'react-router'
import type { Session } from '../../broker/api/users.js'
import iconUrl from './icon.svg'
import { ADMINISTRATOR_NAVIGATION } from './navigation.js'
import { UserMenu } from './user-menu.js'

const MAIN = 'berth-main'

/**
 * What stands around every page: the head, the menu of those who look after the installation, and
 * the way past both for the keyboard.
 */
export function Frame({
  session,
  children,
}: {
  session: Session
  children: ReactNode
}): ReactElement {
  const { t } = useTranslation()
  const withMenu = session.role !== 'user'
  const { pathname } = useLocation()
  useScrollToTop(pathname)
  return (
    <Page
      masthead={<Head session={session} withMenu={withMenu} />}
      isManagedSidebar={withMenu}
      {...(withMenu ? { sidebar: <AdministratorMenu /> } : {})}
      skipToContent={<SkipToContent href={`#${MAIN}`}>{t('frame.skip')}</SkipToContent>}
      mainContainerId={MAIN}
      mainTabIndex={-1}
    >
      <PageSection isFilled>{children}</PageSection>
    </Page>
  )
}

function useScrollToTop(pathname: string): void {
  const last = useRef(pathname)
  useEffect(() => {
    if (last.current !== pathname) document.getElementById(MAIN)?.scrollTo(0, 0)
    last.current = pathname
  }, [pathname])
}

function Head({ session, withMenu }: { session: Session; withMenu: boolean }): ReactElement {
  const { t } = useTranslation()
  return (
    <Masthead display={{ default: 'inline' }}>
      <MastheadMain>
        {withMenu && (
          <MastheadToggle>
            <PageToggleButton variant="plain" aria-label={t('frame.menu')}>
              <BarsIcon />
            </PageToggleButton>
          </MastheadToggle>
        )}
        <MastheadBrand>
          <Link className="berth-brand" to="/">
            <img src={iconUrl} alt="" width="28" height="28" />
            Berth
          </Link>
        </MastheadBrand>
      </MastheadMain>
      <MastheadContent>
        <UserMenu session={session} />
      </MastheadContent>
    </Masthead>
  )
}

function AdministratorMenu(): ReactElement {
  const { t } = useTranslation()
  const { pathname } = useLocation()
  const { isMobile, isSidebarOpen, onSidebarToggle } = useContext(PageContext)
  // On a phone it lies over the page that was chosen.
  const chosen = (): void => {
    if (isMobile && isSidebarOpen) onSidebarToggle()
  }
  const isActive = (to: string): boolean =>
    to === '/' ? pathname === '/' : pathname === to || pathname.startsWith(`${to}/`)
  return (
    <PageSidebar>
      <PageSidebarBody>
        <Nav aria-label={t('frame.navigation')} onSelect={chosen}>
          {ADMINISTRATOR_NAVIGATION.map(({ title, pages }) => (
            <NavGroup key={title} title={t(title)}>
              {pages.map(({ to, name }) => (
                <NavItem key={to} isActive={isActive(to)} itemId={to}>
                  <Link to={to}>{t(name)}</Link>
                </NavItem>
              ))}
            </NavGroup>
          ))}
        </Nav>
      </PageSidebarBody>
    </PageSidebar>
  )
}
