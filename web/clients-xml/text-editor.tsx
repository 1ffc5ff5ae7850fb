import { Button } from '@patternfly/react-core'
import { type ReactElement, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import type { Fault } from '../../broker/api/clients-xml.js'
import './clients-xml.css'

/**
 * A plain text area with numbers of lines: the keyboard, a screen reader and the browser's own
 * search work as everywhere.
 */
export function TextEditor({
  text,
  onChange,
  faults,
  readOnly,
}: {
  text: string
  onChange: (text: string) => void
  faults: readonly Fault[]
  readOnly: boolean
}): ReactElement {
  const { t } = useTranslation()
  const area = useRef<HTMLTextAreaElement>(null)
  const lines = useRef<HTMLPreElement>(null)
  const count = text.split('\n').length
  const worst = new Map<number, Fault['severity']>()
  for (const { line, severity } of faults)
    if (worst.get(line) !== 'error') worst.set(line, severity)
  const jump = ({ line, column }: Fault): void => {
    const { current } = area
    if (!current) return
    const at =
      text
        .split('\n')
        .slice(0, line - 1)
        .reduce((sum, one) => sum + one.length + 1, 0) +
      column -
      1
    current.focus()
    current.setSelectionRange(at, at)
    current.scrollTop = Math.max(0, (line - 4) * (current.scrollHeight / count))
  }
  return (
    <>
      <div className="berth-editor">
        <pre className="berth-lines" ref={lines} aria-hidden="true">
          {Array.from({ length: count }, (_, index) => (
            <div
              key={index}
              className={
                { error: 'berth-faulty', warning: 'berth-doubtful', none: undefined }[
                  worst.get(index + 1) ?? 'none'
                ]
              }
            >
              {worst.has(index + 1) && '● '}
              {index + 1}
            </div>
          ))}
        </pre>
        <textarea
          ref={area}
          aria-label={t('clientsXml.text')}
          spellCheck={false}
          autoCapitalize="off"
          value={text}
          readOnly={readOnly}
          onChange={(event) => {
            onChange(event.target.value)
          }}
          onScroll={(event) => {
            if (lines.current) lines.current.scrollTop = event.currentTarget.scrollTop
          }}
        />
      </div>
      <ul className="berth-faults" aria-label={t('clientsXml.faults')}>
        {faults.map((fault) => (
          <li key={`${fault.line} ${fault.column} ${fault.message}`}>
            <Button
              variant="link"
              isInline
              isDanger={fault.severity === 'error'}
              onClick={() => {
                jump(fault)
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
