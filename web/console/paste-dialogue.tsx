import { Button, Form, FormGroup, FormSelect, FormSelectOption, Modal, ModalBody, ModalFooter, ModalHeader, Progress, TextArea } from '@patternfly/react-core'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { chooseLayout, chosenLayout } from './chosen-layout.js'
import type { Sender } from './keys.js'
import { type LayoutName, LAYOUTS, typeText } from './layouts.js'

/** A text goes into the guest as keys, one after the other, since its clipboard cannot be reached through this display. */
export function PasteDialogue ({ to, close, typed }: { to: Sender, close: () => void, typed: () => void }): ReactElement {
  const { t } = useTranslation()
  const [text, setText] = useState('')
  const [layout, setLayout] = useState<LayoutName>(chosenLayout)
  const [done, setDone] = useState<number | null>(null)
  const stop = useRef(new AbortController())
  useEffect(() => () => { stop.current.abort() }, [])
  const all = [...text].length
  const type = (): void => {
    setDone(0)
    void typeText(to, text, layout, stop.current.signal, setDone).then(() => { if (!stop.current.signal.aborted) typed() })
  }
  return (
    <Modal isOpen variant="small" onClose={close} aria-label={t('console.paste')}>
      <ModalHeader title={t('console.paste')} description={t('console.pasteWhy')} />
      <ModalBody>
        {done === null ? (
          <Form>
            <FormGroup label={t('console.text')} fieldId="paste-text"><TextArea id="paste-text" rows={6} autoFocus value={text} onChange={(_event, value) => { setText(value) }} spellCheck={false} /></FormGroup>
            <LayoutChoice layout={layout} choose={setLayout} />
          </Form>
        ) : <Progress value={all === 0 ? 100 : Math.round(done / all * 100)} title={t('console.typing')} />}
      </ModalBody>
      <ModalFooter>
        {done === null && <Button onClick={type} isDisabled={text === ''}>{t('console.type')}</Button>}
        <Button variant="link" onClick={close}>{t('common.cancel')}</Button>
      </ModalFooter>
    </Modal>
  )
}

/** Which keyboard the guest believes it has: a key gives what the guest's own layout says. */
export function LayoutChoice ({ layout, choose }: { layout: LayoutName, choose: (layout: LayoutName) => void }): ReactElement {
  const { t } = useTranslation()
  return (
    <FormGroup label={t('console.layout')} fieldId="guest-layout">
      <FormSelect id="guest-layout" value={layout} onChange={(_event, value) => { chooseLayout(value as LayoutName); choose(value as LayoutName) }}>
        {Object.entries(LAYOUTS).map(([name, title]) => <FormSelectOption key={name} value={name} label={title} />)}
      </FormSelect>
    </FormGroup>
  )
}
