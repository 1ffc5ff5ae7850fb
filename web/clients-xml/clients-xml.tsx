import { Alert, Button } from '@patternfly/react-core'
import { type ReactElement, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { ClientsXmlState, Fault } from '../../broker/api/clients-xml.js'
import type { Session } from '../../broker/api/users.js'
import { useGet } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { lazyPart } from '../frame/lazy-part.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { StateLabel } from '../parts/state-label.js'
import { type Editing, type Result, resultOf, useCheck, useEditing } from './draft.js'
import { SaveDialogue } from './save-dialogue.js'

// As large as all other administrators' pages together: it comes when the text is looked at.
const TextEditor = lazyPart(async () => (await import('./text-editor.js')).TextEditor)

/** The same at each time, so that the editor sees that nothing is new. */
const NO_FAULTS: readonly Fault[] = []

/** The file that says which device gets what: checked while one types, compared before it is saved. */
export function ClientsXml({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const state = useGet<ClientsXmlState>('/clients-xml', ['clients-xml'])
  return (
    <>
      <PageHead
        title={t('navigation.clientsXml')}
        about={t('clientsXml.about', { path: state.data?.path ?? '' })}
      >
        <Link to="/clients-xml/history">{t('clientsXml.history')}</Link>
      </PageHead>
      <Loaded query={state}>
        {(data) => <Editor state={data} admin={session.role === 'admin'} />}
      </Loaded>
    </>
  )
}

function Editor({ state, admin }: { state: ClientsXmlState; admin: boolean }): ReactElement {
  const editing = useEditing(state)
  const [saving, setSaving] = useState(false)
  const { draft, text } = editing
  const checked = useCheck(text)
  const result = resultOf(text, checked)
  return (
    <>
      {editing.isOvertaken && <Overtaken editing={editing} />}
      <ErrorAlert error={checked?.error ?? null} />
      <div className="berth-filters">
        <span role="status">
          <CheckResult result={result} />
        </span>
        <Buttons
          editing={editing}
          admin={admin}
          good={result.is === 'good'}
          save={() => {
            setSaving(true)
          }}
        />
      </div>
      <Suspense fallback={<div className="berth-editor" />}>
        <TextEditor
          text={text}
          onChange={editing.type}
          faults={checked?.answer?.faults ?? NO_FAULTS}
          readOnly={!admin}
        />
      </Suspense>
      {saving && draft && (
        <SaveDialogue
          draft={draft}
          before={state.text}
          saved={editing.drop}
          close={() => {
            setSaving(false)
          }}
        />
      )}
    </>
  )
}

/** Somebody else saved while one typed: theirs or mine. */
function Overtaken({ editing }: { editing: Editing }): ReactElement {
  const { t } = useTranslation()
  return (
    <Alert
      isInline
      variant="warning"
      title={t('clientsXml.meanwhile')}
      actionLinks={
        <>
          <Button variant="link" isInline onClick={editing.overwrite}>
            {t('clientsXml.mineOverTheirs')}
          </Button>{' '}
          <Button variant="link" isInline onClick={editing.drop}>
            {t('clientsXml.takeTheirs')}
          </Button>
        </>
      }
    />
  )
}

function CheckResult({ result }: { result: Result }): ReactElement {
  const { t } = useTranslation()
  if (result.is === 'checking')
    return <StateLabel feeling="busy">{t('clientsXml.checking')}</StateLabel>
  return result.is === 'good' ? (
    <StateLabel feeling="good">{t('clientsXml.good', { count: result.clients })}</StateLabel>
  ) : (
    <StateLabel feeling="bad">{t('clientsXml.bad', { count: result.errors })}</StateLabel>
  )
}

function Buttons({
  editing: { isChanged, drop },
  admin,
  good,
  save,
}: {
  editing: Editing
  admin: boolean
  good: boolean
  save: () => void
}): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      {admin && (
        <Button isDisabled={!isChanged || !good} onClick={save}>
          {t('clientsXml.save')}
        </Button>
      )}
      {isChanged && (
        <Button variant="link" onClick={drop}>
          {t('clientsXml.discard')}
        </Button>
      )}
    </>
  )
}
