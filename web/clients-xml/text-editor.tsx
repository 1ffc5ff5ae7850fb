import { Button } from '@patternfly/react-core'
import type { TFunction } from 'i18next'
import { type ReactElement, useEffect, useLayoutEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import type { Fault } from '../../broker/api/clients-xml.js'
import './clients-xml.css'
import { XmlEditor } from './xml-editor.js'

export interface TextEditorProps {
  readonly text: string
  readonly onChange: (text: string) => void
  readonly faults: readonly Fault[]
  readonly readOnly: boolean
}

/** The text with numbers of lines, and its faults: in their lines, and below in words. */
export function TextEditor(props: TextEditorProps): ReactElement {
  const { t } = useTranslation()
  const { faults } = props
  const place = useRef<HTMLDivElement>(null)
  const editor = useEditor(place, props)
  return (
    <>
      <div className="berth-editor" ref={place} />
      <ul className="berth-faults" aria-label={t('clientsXml.faults')}>
        {faults.map((fault) => (
          <li key={`${fault.line} ${fault.column} ${fault.message}`}>
            <Button
              variant="link"
              isInline
              isDanger={fault.severity === 'error'}
              onClick={() => {
                editor.current?.goTo(fault)
              }}
            >
              {t('clientsXml.place', { line: fault.line, column: fault.column })}
            </Button>{' '}
            {t(`clientsXml.severity.${fault.severity}`)}: {fault.message}
          </li>
        ))}
      </ul>
    </>
  )
}

function useEditor(
  place: { readonly current: HTMLElement | null },
  { text, onChange, faults, readOnly }: TextEditorProps,
): { readonly current: XmlEditor | null } {
  const { t } = useTranslation()
  const editor = useRef<XmlEditor | null>(null)
  const change = useRef(onChange)
  change.current = onChange
  useLayoutEffect(() => {
    if (!place.current) return
    const opened = new XmlEditor(place.current, {
      text,
      label: t('clientsXml.text'),
      readOnly,
      phrases: phrasesOf(t),
      onChange: (next) => {
        change.current(next)
      },
    })
    editor.current = opened
    return () => {
      opened.close()
    }
  }, [place, readOnly, t])
  // With the drawing itself: a moment later the next key could be in the editor, and be undone.
  useLayoutEffect(() => {
    editor.current?.setText(text)
  }, [text, readOnly, t])
  useEffect(() => {
    editor.current?.setFaults(faults)
  }, [faults, readOnly, t])
  return editor
}

/** Its own words in the reader's language. */
function phrasesOf(t: TFunction): Record<string, string> {
  return {
    Find: t('clientsXml.editor.find'),
    Replace: t('clientsXml.editor.replaceBy'),
    next: t('clientsXml.editor.next'),
    previous: t('clientsXml.editor.previous'),
    all: t('clientsXml.editor.all'),
    'match case': t('clientsXml.editor.matchCase'),
    regexp: t('clientsXml.editor.regexp'),
    'by word': t('clientsXml.editor.byWord'),
    replace: t('clientsXml.editor.replace'),
    'replace all': t('clientsXml.editor.replaceAll'),
    close: t('clientsXml.editor.close'),
    'current match': t('clientsXml.editor.currentMatch'),
    'on line': t('clientsXml.editor.onLine'),
    'replaced match on line $': t('clientsXml.editor.replacedOnLine'),
    'replaced $ matches': t('clientsXml.editor.replacedMatches'),
    'Go to line': t('clientsXml.editor.goToLine'),
    go: t('clientsXml.editor.go'),
    'Selection deleted': t('clientsXml.editor.selectionDeleted'),
  }
}
