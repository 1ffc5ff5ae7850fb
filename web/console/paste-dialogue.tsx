import {
  Alert,
  Button,
  Form,
  FormGroup,
  FormSelect,
  FormSelectOption,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  Progress,
  TextArea,
} from '@patternfly/react-core'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { chooseLayout, chosenLayout } from './chosen-layout.js'
import type { Sender } from './keys.js'
import { type LayoutName, LAYOUTS, missingFrom, typeText } from './layouts.js'

const MOST_NAMED = 20

interface PasteDialogueProps {
  readonly to: Sender | null
  readonly close: () => void
  readonly typed: () => void
}

/**
 * A text goes into the guest as keys, one after the other, since its clipboard cannot be reached
 * through this display. `to`: null while the line is broken; what was not typed by then stays here.
 */
export function PasteDialogue({ to, close, typed }: PasteDialogueProps): ReactElement {
  const { t } = useTranslation()
  const [layout, setLayout] = useState<LayoutName>(chosenLayout)
  const { text, setText, done, cutAt, type } = useTyping(to, layout, typed)
  return (
    <Modal isOpen variant="small" onClose={close} aria-label={t('console.paste')}>
      <ModalHeader title={t('console.paste')} description={t('console.pasteWhy')} />
      <ModalBody>
        {done === null ? (
          <PasteForm
            text={text}
            setText={setText}
            cutAt={cutAt}
            layout={layout}
            setLayout={setLayout}
          />
        ) : (
          <Progress
            value={Math.round((done / Math.max(1, [...text].length)) * 100)}
            title={t('console.typing')}
          />
        )}
      </ModalBody>
      <ModalFooter>
        {done === null && (
          <Button onClick={type} isDisabled={text === '' || to === null}>
            {t('console.type')}
          </Button>
        )}
        <Button variant="link" onClick={close}>
          {t('common.cancel')}
        </Button>
      </ModalFooter>
    </Modal>
  )
}

interface PasteFormProps extends Pick<Typing, 'text' | 'setText' | 'cutAt'> {
  readonly layout: LayoutName
  readonly setLayout: (layout: LayoutName) => void
}

function PasteForm({ text, setText, cutAt, layout, setLayout }: PasteFormProps): ReactElement {
  const { t } = useTranslation()
  const missing = missingFrom(layout, text)
  return (
    <Form>
      {cutAt !== null && (
        <Alert isInline variant="warning" title={t('console.pasteCut', { count: cutAt })} />
      )}
      <FormGroup label={t('console.text')} fieldId="paste-text">
        <TextArea
          id="paste-text"
          rows={6}
          autoFocus
          value={text}
          onChange={(_event, value) => {
            setText(value)
          }}
          spellCheck={false}
        />
      </FormGroup>
      <LayoutChoice layout={layout} choose={setLayout} />
      {missing.length > 0 && (
        <Alert
          isInline
          isLiveRegion
          variant="warning"
          title={t('console.pasteMissing', {
            characters: missing.slice(0, MOST_NAMED).join(' '),
            layout: LAYOUTS[layout],
          })}
        />
      )}
    </Form>
  )
}

interface Typing {
  readonly text: string
  setText(text: string): void
  readonly done: number | null
  readonly cutAt: number | null
  type(): void
}

/**
 * The text, and how much of it is typed; null: it is not being typed. `cutAt`: after so many
 * characters the line broke, and the rest is the text now.
 */
function useTyping(to: Sender | null, layout: LayoutName, typed: () => void): Typing {
  const [text, setText] = useState('')
  const [done, setDone] = useState<number | null>(null)
  const [cutAt, setCutAt] = useState<number | null>(null)
  const stop = useRef(new AbortController())
  useEffect(
    () => () => {
      stop.current.abort()
    },
    [],
  )
  useEffect(() => {
    if (to !== null || done === null) return
    stop.current.abort()
    setText([...text.replace(/\r\n?/g, '\n')].slice(done).join(''))
    setCutAt(done)
    setDone(null)
  }, [to, done, text])
  const type = (): void => {
    if (to === null) return
    const mine = (stop.current = new AbortController())
    setCutAt(null)
    setDone(0)
    void typeText(to, text, layout, mine.signal, (count) => {
      if (!mine.signal.aborted) setDone(count)
    }).then(() => {
      if (!mine.signal.aborted) typed()
    })
  }
  return { text, setText, done, cutAt, type }
}

/** Which keyboard the guest believes it has: a key gives what the guest's own layout says. */
export function LayoutChoice({
  layout,
  choose,
}: {
  layout: LayoutName
  choose: (layout: LayoutName) => void
}): ReactElement {
  const { t } = useTranslation()
  return (
    <FormGroup label={t('console.layout')} fieldId="guest-layout">
      <FormSelect
        id="guest-layout"
        value={layout}
        onChange={(_event, value) => {
          chooseLayout(value as LayoutName)
          choose(value as LayoutName)
        }}
      >
        {Object.entries(LAYOUTS).map(([name, title]) => (
          <FormSelectOption key={name} value={name} label={title} />
        ))}
      </FormSelect>
    </FormGroup>
  )
}
