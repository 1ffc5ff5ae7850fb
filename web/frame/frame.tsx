import { Masthead, MastheadBrand, MastheadContent, MastheadMain, MastheadToggle, Nav, NavGroup, NavItem, Page, PageSection, PageSidebar, PageSidebarBody, PageToggleButton, SkipToContent } from '@patternfly/react-core'
import { BarsIcon } from '@patternfly/react-icons/dist/esm/icons/bars-icon'
import { type ReactElement, type ReactNode, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, NavLink, useLocation } from 'react-router'
import type { Session } from '../../broker/api/users.js'
import iconUrl from './icon.svg'
import { HOUSE_NAVIGATION } from './navigation.js'
import { UserMenu } from './user-menu.js'

const MAIN = 'berth-main'

/** What stands around every page: the head, the menu of the house for those who look after it, and the way past both for the keyboard. */
export function Frame ({ session, children }: { session: Session, children: ReactNode }): ReactElement {
  const { t } = useTranslation()
  const ofTheHouse = session.role !== 'user'
  const { pathname } = useLocation()
  useScrollToTop(pathname)
  return (
    <Page masthead={<Head session={session} withMenu={ofTheHouse} />} isManagedSidebar={ofTheHouse} {...(ofTheHouse ? { sidebar: <HouseMenu /> } : {})}
      skipToContent={<SkipToContent href={`#${MAIN}`}>{t('frame.skip')}</SkipToContent>} mainContainerId={MAIN} mainTabIndex={-1}>
      <PageSection isFilled>{children}</PageSection>
    </Page>
  )
}

function useScrollToTop (pathname: string): void {
  const last = useRef(pathname)
  useEffect(() => {
    if (last.current !== pathname) document.getElementById(MAIN)?.scrollTo(0, 0)
    last.current = pathname
  }, [pathname])
}

function Head ({ session, withMenu }: { session: Session, withMenu: boolean }): ReactElement {
  const { t } = useTranslation()
  return (
    <Masthead display={{ default: 'inline' }}>
      <MastheadMain>
        {withMenu && <MastheadToggle><PageToggleButton variant="plain" aria-label={t('frame.menu')}><BarsIcon /></PageToggleButton></MastheadToggle>}
        <MastheadBrand><Link className="berth-brand" to="/"><img src={iconUrl} alt="" width="28" height="28" />Berth</Link></MastheadBrand>
      </MastheadMain>
      <MastheadContent><UserMenu session={session} /></MastheadContent>
    </Masthead>
  )
}

function HouseMenu (): ReactElement {
  const { t } = useTranslation()
  const { pathname } = useLocation()
  const [active, setActive] = useState(pathname)
  useEffect(() => { setActive(pathname) }, [pathname])
  const isActive = (to: string): boolean => to === '/' ? active === '/' : active === to || active.startsWith(`${to}/`)
  return (
    <PageSidebar>
      <PageSidebarBody>
        <Nav aria-label={t('frame.navigation')}>
          {HOUSE_NAVIGATION.map(({ title, pages }) => (
            <NavGroup key={title} title={t(title)}>
              {pages.map(({ to, name }) => <NavItem key={to} isActive={isActive(to)} itemId={to} component={(props) => <NavLink {...props as object} to={to} />}>{t(name)}</NavItem>)}
            </NavGroup>
          ))}
        </Nav>
      </PageSidebarBody>
    </PageSidebar>
  )
}
