import { Alert, Button } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation, useNavigate } from 'react-router'
import type { ClientsXmlState } from '../../broker/api/clients-xml.js'
import type { Session } from '../../broker/api/users.js'
import { useGet } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { StateLabel } from '../parts/state-label.js'
import { useCheck, useDraft } from './draft.js'
import { SaveDialogue } from './save-dialogue.js'
import { TextEditor } from './text-editor.js'

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
  const { t } = useTranslation()
  const [draft, setDraft] = useDraft()
  const navigate = useNavigate()
  const restored = (useLocation().state as { text?: string } | null)?.text
  const [saving, setSaving] = useState(false)
  const fromHistory =
    restored !== undefined && draft === null
      ? { base: state.text, etag: state.etag, text: restored }
      : null
  const now = draft ?? fromHistory
  const text = now?.text ?? state.text
  const checked = useCheck(text)
  const changed = now !== null && now.text !== state.text
  const type = (next: string): void => {
    setDraft({ base: now?.base ?? state.text, etag: now?.etag ?? state.etag, text: next })
  }
  const drop = (): void => {
    setDraft(null)
    // What was taken from the history would be the draft again after a reload.
    void navigate('.', { replace: true, state: null })
  }
  const good = checked?.of === text && checked.answer?.accepted === true
  return (
    <>
      {changed && now.etag !== state.etag && (
        <Alert
          isInline
          variant="warning"
          title={t('clientsXml.meanwhile')}
          actionLinks={
            <>
              <Button
                variant="link"
                isInline
                onClick={() => {
                  setDraft({ ...now, base: state.text, etag: state.etag })
                }}
              >
                {t('clientsXml.mineOverTheirs')}
              </Button>{' '}
              <Button variant="link" isInline onClick={drop}>
                {t('clientsXml.takeTheirs')}
              </Button>
            </>
          }
        />
      )}
      <ErrorAlert error={checked?.error ?? null} />
      <div className="berth-filters">
        <span role="status">
          {checked?.of !== text ? (
            <StateLabel feeling="busy">{t('clientsXml.checking')}</StateLabel>
          ) : good ? (
            <StateLabel feeling="good">
              {t('clientsXml.good', { count: checked.answer?.clients ?? 0 })}
            </StateLabel>
          ) : (
            <StateLabel feeling="bad">
              {t('clientsXml.bad', {
                count:
                  checked.answer?.faults.filter(({ severity }) => severity === 'error').length ?? 0,
              })}
            </StateLabel>
          )}
        </span>
        {admin && (
          <Button
            isDisabled={!changed || !good}
            onClick={() => {
              setSaving(true)
            }}
          >
            {t('clientsXml.save')}
          </Button>
        )}
        {changed && (
          <Button variant="link" onClick={drop}>
            {t('clientsXml.discard')}
          </Button>
        )}
      </div>
      <TextEditor
        text={text}
        onChange={type}
        faults={checked?.answer?.faults ?? []}
        readOnly={!admin}
      />
      {saving && now && (
        <SaveDialogue
          draft={now}
          before={state.text}
          saved={drop}
          close={() => {
            setSaving(false)
          }}
        />
      )}
    </>
  )
}
