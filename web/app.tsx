import { Bullseye, Spinner } from '@patternfly/react-core'
import { type ReactElement, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { Navigate, Route, Routes, useLocation } from 'react-router'
import type { Session } from '../broker/api/users.js'
import { useLive } from './api/live.js'
import { useSession } from './api/queries.js'
import { ConnectionBanner } from './frame/connection-banner.js'
import { ErrorState } from './frame/error-state.js'
import { Frame } from './frame/frame.js'
import { lazyPart } from './frame/lazy-part.js'
import { NothingHere } from './frame/nothing-here.js'
import { FaultBoundary } from './frame/page-fault.js'
import { Login } from './login/login.js'

// The person's page comes first and alone; the administrators' pages and the console are loaded when they are opened.
const Desktops = lazyPart(async () => (await import('./desktops/desktops.js')).Desktops)
const ConsolePage = lazyPart(async () => (await import('./console/console-page.js')).ConsolePage)
const ConfirmDevice = lazyPart(
  async () => (await import('./login/confirm-device.js')).ConfirmDevice,
)
const Tokens = lazyPart(async () => (await import('./tokens/tokens.js')).Tokens)
const AdministratorPages = lazyPart(
  async () => (await import('./administrator-pages.js')).AdministratorPages,
)

/** Whether they look after the installation, or only use it. */
export function seesAdministratorPages(session: Session): boolean {
  return session.role !== 'user'
}

export function App(): ReactElement {
  const session = useSession()
  const connected = useLive(session.data?.mark ?? null)
  if (session.isPending) return <Loading />
  // A question about the login that failed later takes nobody's page away.
  if (session.isError && session.data === undefined)
    return (
      <Bullseye>
        <ErrorState
          error={session.error}
          again={() => {
            void session.refetch()
          }}
        />
      </Bullseye>
    )
  if (!session.data) return <Login />
  return (
    <>
      <ConnectionBanner connected={connected} />
      <Suspense fallback={<Loading />}>
        <Routes>
          <Route
            path="/machines/:name/console"
            element={<ConsolePage session={session.data} connected={connected} />}
          />
          <Route path="*" element={<InFrame session={session.data} />} />
        </Routes>
      </Suspense>
    </>
  )
}

function InFrame({ session }: { session: Session }): ReactElement {
  const { pathname } = useLocation()
  return (
    <Frame session={session}>
      <FaultBoundary place={pathname}>
        <Suspense fallback={<Loading />}>
          <Routes>
            <Route path="/" element={<Desktops session={session} />} />
            <Route path="/device" element={<ConfirmDevice session={session} />} />
            <Route path="/tokens" element={<Tokens />} />
            <Route path="/login" element={<Navigate to="/" replace />} />
            <Route
              path="*"
              element={
                seesAdministratorPages(session) ? (
                  <AdministratorPages session={session} />
                ) : (
                  <NothingHere />
                )
              }
            />
          </Routes>
        </Suspense>
      </FaultBoundary>
    </Frame>
  )
}

function Loading(): ReactElement {
  const { t } = useTranslation()
  return (
    <Bullseye className="berth-loading">
      <Spinner aria-label={t('common.loading')} />
    </Bullseye>
  )
}
