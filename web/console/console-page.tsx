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
import { StatePanel } from './state-panel.js'
import { Toolbar } from './toolbar.js'
import { TouchKeyboard } from './touch-keyboard.js'
import { allowedOn, useFocusOnScreen, useScaling, useScreen } from './use-screen.js'

interface ConsolePageProps {
  readonly session: Session
  readonly connected: boolean
}

/** The screen of a machine, in the whole window; `?watch=1` only looks. `connected`: the broker answers. */
export function ConsolePage({ session, connected }: ConsolePageProps): ReactElement {
  const { t } = useTranslation()
  const { name = '' } = useParams()
  const [params] = useSearchParams()
  const watch = params.get('watch') === '1'
  const target = useRef<HTMLDivElement>(null)
  const { state, rfb, screen } = useScreen(name, watch, target)
  const { keys, mayPaste, viewOnly, taken } = allowedOn(state, rfb)
  const { scaling, setScaling } = useScaling(rfb)
  const { panel, setPanel, closeTyped } = usePanel(() => keys?.focus())
  const watchers = useWatchers(name, watch)
  const called = t('console.screenOf', { machine: name })
  useEffect(() => {
    document.title = t('console.title', { machine: name })
  }, [t, name])
  useEffect(() => {
    if (connected) screen.current?.hurry()
  }, [connected, screen])
  useFocusOnScreen(rfb, target, `${called}. ${t('console.leaveScreen')}`)
  return (
    <div className="berth-console">
      <Toolbar
        machine={name}
        rfb={keys}
        mayPaste={mayPaste}
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
        viewOnly={viewOnly}
        taken={taken}
        session={session}
      />
      <main
        className="berth-screen"
        aria-label={called}
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
          typed={closeTyped}
        />
      )}
    </div>
  )
}

type Panel = 'paste' | 'keyboard' | null

/** What is open beside the screen. `closeTyped`: it has typed its text, and the screen gets the focus. */
function usePanel(focusScreen: () => void): {
  panel: Panel
  setPanel: (panel: Panel) => void
  closeTyped: () => void
} {
  const [panel, setPanel] = useState<Panel>(null)
  const [typed, setTyped] = useState(0)
  // When the dialogue is gone: until then it lets the focus go nowhere else.
  useEffect(() => {
    if (typed > 0) focusScreen()
  }, [typed])
  const closeTyped = (): void => {
    setPanel(null)
    setTyped(typed + 1)
  }
  return { panel, setPanel, closeTyped }
}

/** Who looks at the screen of the person who works on it. */
function useWatchers(machine: string, watch: boolean): readonly string[] {
  const mine = useGet<{ readonly desktops: readonly Desktop[] }>('/desktops/mine', [
    'desktops',
    'sessions',
  ])
  if (watch) return []
  return mine.data?.desktops.find((one) => one.machine === machine)?.watchedBy ?? []
}
