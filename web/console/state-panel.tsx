import { Button, Spinner } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type { Permissions } from '../../broker/api/permissions.js'
import type { Session } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { saveViewerFile } from '../desktops/opening.js'
import { sentenceOf } from '../frame/error-state.js'
import { Confirm } from '../parts/confirm.js'
import { useNow } from '../parts/when.js'
import type { ScreenState } from './screen.js'
import { ToDesktops } from './to-desktops.js'

interface PanelProps {
  readonly state: ScreenState
  readonly machine: string
  readonly session: Session
  readonly again: () => void
  readonly take: () => void
}

/** In the place of the screen while there is none: what is going on, and what they can do. */
export function StatePanel({
  state,
  machine,
  session,
  again,
  take,
}: PanelProps): ReactElement | null {
  const { t } = useTranslation()
  switch (state.is) {
    case 'open':
      return null
    case 'connecting':
      return <Panel busy title={t('console.connecting')} />
    case 'waiting':
      return <Waiting state={state} again={again} />
    case 'ended':
      return (
        <Panel title={t(`console.ends.${state.end}`)} says={<Said sentence={state.sentence} />}>
          <Ways machine={machine} viewer={state.end === 'unreachable'} again={again} />
        </Panel>
      )
    case 'refused':
      return (
        <Panel title={t('console.refused')} says={sentenceOf(t, state.error)}>
          <Ways
            machine={machine}
            viewer={state.error.code === 'console_unreachable'}
            again={again}
          />
        </Panel>
      )
    case 'inUse':
      return (
        <InUse
          machine={machine}
          session={session}
          says={sentenceOf(t, state.error)}
          again={again}
          take={take}
        />
      )
  }
}

function Panel({
  title,
  says,
  busy = false,
  children,
}: {
  title: string
  says?: ReactElement | string
  busy?: boolean
  children?: ReactElement
}): ReactElement {
  return (
    <div className="berth-console-panel" role="status">
      {busy && <Spinner size="lg" aria-hidden="true" />}
      <h2>{title}</h2>
      {says !== undefined && <p>{says}</p>}
      {children !== undefined && <div className="berth-console-ways">{children}</div>}
    </div>
  )
}

/** The broker's own sentence is in English; elsewhere the title says it all. */
function Said({ sentence }: { sentence: string }): ReactElement {
  const { i18n } = useTranslation()
  return <>{i18n.language === 'en' ? sentence : ''}</>
}

interface WaitingProps {
  readonly state: Extract<ScreenState, { is: 'waiting' }>
  readonly again: () => void
}

/** It is tried again after a while, or when they want. */
function Waiting({ state: { end, at }, again }: WaitingProps): ReactElement {
  const { t } = useTranslation()
  return (
    <Panel busy title={t(`console.ends.${end}`)} says={<Wait at={at} />}>
      <Button variant="secondary" onClick={again}>
        {t('console.now')}
      </Button>
    </Panel>
  )
}

function Wait({ at }: { at: number }): ReactElement {
  const { t } = useTranslation()
  const now = useNow(500)
  return <>{t('console.againIn', { seconds: Math.max(1, Math.ceil((at - now) / 1_000)) })}</>
}

function Ways({
  machine,
  viewer,
  again,
}: {
  machine: string
  viewer: boolean
  again: () => void
}): ReactElement {
  const { t } = useTranslation()
  const [failed, setFailed] = useState(false)
  return (
    <>
      <Button onClick={again}>{t('console.openAgain')}</Button>
      {viewer && (
        <Button
          variant="secondary"
          isDisabled={failed}
          onClick={() => {
            saveViewerFile(machine, false).catch(() => {
              setFailed(true)
            })
          }}
        >
          {t('desktops.ways.viewer')}
        </Button>
      )}
      <Button variant="link" component={ToDesktops}>
        {t('desktops.title')}
      </Button>
    </>
  )
}

interface InUseProps {
  readonly machine: string
  readonly session: Session
  readonly says: string
  readonly again: () => void
  readonly take: () => void
}

/** Somebody else has it. Who may, takes it over or only looks; nobody else is shown that one could. */
function InUse({ machine, session, says, again, take }: InUseProps): ReactElement {
  const { t } = useTranslation()
  const mayTake = useMayTake(machine, session)
  return (
    <Panel title={t('console.inUse')} says={says}>
      <>
        {mayTake && <TakeOrWatch machine={machine} says={says} take={take} />}
        <Button variant={mayTake ? 'link' : 'primary'} onClick={again}>
          {t('console.openAgain')}
        </Button>
        <Button variant="link" component={ToDesktops}>
          {t('desktops.title')}
        </Button>
      </>
    </Panel>
  )
}

function useMayTake(machine: string, session: Session): boolean {
  const permissions = useGet<Permissions>('/whoami/permissions', ['grants', 'desktops'], {
    enabled: session.role !== 'admin',
  })
  return (
    session.role === 'admin' ||
    permissions.data?.objects.some(
      ({ kind, object, verbs }) =>
        kind === 'machine' &&
        object === machine &&
        verbs.some((verb) => ['takeConsole', 'admin', '*'].includes(verb)),
    ) === true
  )
}

function TakeOrWatch({
  machine,
  says,
  take,
}: Pick<InUseProps, 'machine' | 'says' | 'take'>): ReactElement {
  const { t } = useTranslation()
  const [asking, setAsking] = useState(false)
  const close = (): void => {
    setAsking(false)
  }
  return (
    <>
      <Button
        variant="danger"
        onClick={() => {
          setAsking(true)
        }}
      >
        {t('desktops.take')}
      </Button>
      <WatchButton machine={machine} />
      {asking && (
        <Confirm
          title={t('desktops.inUse', { machine })}
          action={t('desktops.take')}
          danger
          pending={false}
          error={null}
          onConfirm={() => {
            close()
            take()
          }}
          close={close}
        >
          {says} {t('console.takeWhy')}
        </Confirm>
      )}
    </>
  )
}

function WatchButton({ machine }: { machine: string }): ReactElement {
  const { t } = useTranslation()
  const navigate = useNavigate()
  return (
    <Button
      variant="secondary"
      onClick={() => {
        void navigate(`${path`/machines/${machine}/console`}?watch=1`)
      }}
    >
      {t('console.watch')}
    </Button>
  )
}
