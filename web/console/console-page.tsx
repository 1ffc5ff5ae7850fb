import type RFB from '@novnc/novnc'
import {
  type ReactElement,
  type ReactNode,
  type RefObject,
  useEffect,
  useRef,
  useState,
} from 'react'
import { useTranslation } from 'react-i18next'
import { useParams, useSearchParams } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Session } from '../../broker/api/users.js'
import { useGet } from '../api/queries.js'
import './console.css'
import { leaveScreen } from './leave-screen.js'
import { Notices } from './notices.js'
import { PasteDialogue } from './paste-dialogue.js'
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
  const { state, rfb, ...ways } = useScreen(name, watch, target, connected)
  const { keys, mayPaste, viewOnly, taken } = allowedOn(state, rfb)
  const { scaling, setScaling } = useScaling(rfb)
  const { panel, openPaste, toggleKeyboard, ...closing } = usePanel(() => keys?.focus())
  const watchers = useWatchers(name, watch)
  const called = t('console.screenOf', { machine: name })
  useTitle(t('console.title', { machine: name }))
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
        paste={openPaste}
        toggleKeyboard={toggleKeyboard}
      />
      <Notices
        machine={name}
        watchers={watchers}
        viewOnly={viewOnly}
        taken={taken}
        session={session}
      />
      <ScreenPlace name={called} canvas={target} keys={keys}>
        <StatePanel state={state} machine={name} session={session} {...ways} />
      </ScreenPlace>
      <PanelBeside panel={panel} keys={keys} {...closing} />
    </div>
  )
}

interface ScreenPlaceProps {
  readonly name: string
  readonly canvas: RefObject<HTMLDivElement>
  readonly keys: RFB | null
  readonly children: ReactNode
}

/** `canvas`: into which the screen is drawn; `children`: what stands there while there is none. */
function ScreenPlace({ name, canvas, keys, children }: ScreenPlaceProps): ReactElement {
  return (
    <main
      className="berth-screen"
      aria-label={name}
      onKeyDownCapture={(event) => {
        if (keys) leaveScreen(event, keys)
      }}
    >
      <div className="berth-canvas" ref={canvas} />
      {children}
    </main>
  )
}

type Panel = 'paste' | 'keyboard' | null

interface PanelBesideProps extends Closing {
  readonly panel: Panel
  readonly keys: RFB | null
}

function PanelBeside({ panel, keys, close, closeTyped }: PanelBesideProps): ReactElement | null {
  if (panel === 'paste') return <PasteDialogue to={keys} close={close} typed={closeTyped} />
  return panel === 'keyboard' && keys ? <TouchKeyboard to={keys} /> : null
}

interface Closing {
  readonly close: () => void
  /** It has typed its text, and the screen gets the focus. */ readonly closeTyped: () => void
}

/** What is open beside the screen. */
function usePanel(focusScreen: () => void): Closing & {
  readonly panel: Panel
  readonly openPaste: () => void
  readonly toggleKeyboard: () => void
} {
  const [panel, setPanel] = useState<Panel>(null)
  const [typed, setTyped] = useState(0)
  // When the dialogue is gone: until then it lets the focus go nowhere else.
  useEffect(() => {
    if (typed > 0) focusScreen()
  }, [typed])
  return {
    panel,
    openPaste: () => {
      setPanel('paste')
    },
    toggleKeyboard: () => {
      setPanel(panel === 'keyboard' ? null : 'keyboard')
    },
    close: () => {
      setPanel(null)
    },
    closeTyped: () => {
      setPanel(null)
      setTyped(typed + 1)
    },
  }
}

/** Of the window, in the browser's tab. */
function useTitle(title: string): void {
  useEffect(() => {
    document.title = title
  }, [title])
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
