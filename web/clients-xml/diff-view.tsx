import { type ReactElement, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { aroundChanges, lineDiff } from './line-diff.js'
import './clients-xml.css'

const SIGNS = { same: ' ', gone: '-', new: '+' } as const
const CLASSES = { same: undefined, gone: 'berth-gone', new: 'berth-new' } as const

/** What goes and what comes, said by sign and by colour. */
export function DiffView({ before, after }: { before: string; after: string }): ReactElement {
  const { t } = useTranslation()
  const lines = useMemo(() => aroundChanges(lineDiff(before, after)), [before, after])
  if (before === after) return <p>{t('clientsXml.same')}</p>
  return (
    <div className="berth-diff" role="region" aria-label={t('clientsXml.changes')} tabIndex={0}>
      {lines.map((line, index) =>
        line === null ? (
          <div key={index}>…</div>
        ) : (
          <div key={index} className={CLASSES[line.kind]}>
            {SIGNS[line.kind]} {String(line.line).padStart(4)} {line.text}
          </div>
        ),
      )}
    </div>
  )
}
