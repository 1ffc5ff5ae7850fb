import type RFB from '@novnc/novnc'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useParams, useSearchParams } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Session } from '../../broker/api/users.js'
import { useGet } from '../api/queries.js'
import './console.css'
import { leaveScreen } from './leave-screen.js'
import { Notices } from './notices.js'
import { PasteDialogue } from './paste-dialogue.js'
import { PhoneKeyboard } from './phone-keyboard.js'
import { chosenScaling, type Scaling, scale } from './scaling.js'
import { Screen, type ScreenState } from './screen.js'
import { StatePanel } from './state-panel.js'
import { Toolbar } from './toolbar.js'
import { TouchKeyboard } from './touch-keyboard.js'

/** The screen of a machine, in the whole window; `?watch=1` only looks. `connected`: the broker answers. */
export function ConsolePage({
  session,
  connected,
}: {
  session: Session
  connected: boolean
}): ReactElement {
  const { t } = useTranslation()
  const { name = '' } = useParams()
  const [params] = useSearchParams()
  const watch = params.get('watch') === '1'
  const target = useRef<HTMLDivElement>(null)
  const { state, rfb, screen } = useScreen(name, watch, target)
  const [scaling, setScaling] = useState<Scaling>(chosenScaling)
  const [panel, setPanel] = useState<'paste' | 'keyboard' | null>(null)
  const [typed, setTyped] = useState(0)
  useEffect(() => {
    document.title = t('console.title', { machine: name })
  }, [t, name])
  useEffect(() => {
    if (rfb) scale(rfb, scaling)
  }, [rfb, scaling])
  useEffect(() => {
    if (connected) screen.current?.hurry()
  }, [connected, screen])
  const mine = useGet<{ readonly desktops: readonly Desktop[] }>('/desktops/mine', [
    'desktops',
    'sessions',
  ])
  const watchers = watch
    ? []
    : (mine.data?.desktops.find(({ machine }) => machine === name)?.watchedBy ?? [])
  const ticket = state.is === 'open' ? state.ticket : null
  const keys = ticket && !ticket.viewOnly ? rfb : null
  useFocusOnScreen(
    rfb,
    target,
    `${t('console.screenOf', { machine: name })}. ${t('console.leaveScreen')}`,
  )
  // When the dialogue is gone: until then it lets the focus go nowhere else.
  useEffect(() => {
    if (typed > 0) keys?.focus()
  }, [typed])
  return (
    <div className="berth-console">
      <Toolbar
        machine={name}
        rfb={keys}
        mayPaste={ticket?.clipboard === true && !ticket.viewOnly}
        scaling={scaling}
        setScaling={setScaling}
        isKeyboardShown={panel === 'keyboard'}
        paste={() => {
          setPanel('paste')
        }}
        toggleKeyboard={() => {
          setPanel(panel === 'keyboard' ? null : 'keyboard')
        }}
        phoneKeyboard={<PhoneKeyboard to={keys} />}
      />
      <Notices
        machine={name}
        watchers={watchers}
        viewOnly={ticket?.viewOnly === true}
        taken={ticket?.taken ?? null}
        session={session}
      />
      <main
        className="berth-screen"
        aria-label={t('console.screenOf', { machine: name })}
        onKeyDownCapture={(event) => {
          if (keys) leaveScreen(event, keys)
        }}
      >
        <div className="berth-canvas" ref={target} />
        {state.is !== 'open' && (
          <StatePanel
            state={state}
            machine={name}
            session={session}
            again={() => {
              screen.current?.connect()
            }}
            take={() => {
              screen.current?.connect(true)
            }}
          />
        )}
      </main>
      {panel === 'keyboard' && keys && <TouchKeyboard to={keys} />}
      {panel === 'paste' && (
        <PasteDialogue
          to={keys}
          close={() => {
            setPanel(null)
          }}
          typed={() => {
            setPanel(null)
            setTyped(typed + 1)
          }}
        />
      )}
    </div>
  )
}

/** A screen that opens in the place where the focus is takes it, so that one can type; it is called by its name. */
function useFocusOnScreen(
  rfb: RFB | null,
  target: { readonly current: HTMLDivElement | null },
  name: string,
): void {
  useEffect(() => {
    const canvas = target.current?.querySelector('canvas')
    canvas?.setAttribute('role', 'application')
    canvas?.setAttribute('aria-label', name)
  }, [rfb, target, name])
  useEffect(() => {
    if (document.activeElement?.tagName === 'MAIN') rfb?.focus()
  }, [rfb])
}

/** The screen, for as long as the page shows it. */
function useScreen(
  machine: string,
  watch: boolean,
  target: { readonly current: HTMLDivElement | null },
): { state: ScreenState; rfb: RFB | null; screen: { readonly current: Screen | null } } {
  const [now, setNow] = useState<{ state: ScreenState; rfb: RFB | null }>({
    state: { is: 'connecting' },
    rfb: null,
  })
  const screen = useRef<Screen | null>(null)
  useEffect(() => {
    if (!target.current) return
    const opened = new Screen(target.current, machine, { watch }, (state, rfb) => {
      setNow({ state, rfb })
    })
    screen.current = opened
    opened.connect()
    // A computer that was away from the network does not wait for the next try.
    const online = (): void => {
      opened.hurry()
    }
    window.addEventListener('online', online)
    return () => {
      window.removeEventListener('online', online)
      opened.close()
    }
  }, [machine, watch, target])
  return { ...now, screen }
}
