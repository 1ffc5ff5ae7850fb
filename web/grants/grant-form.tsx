import { Alert } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { MachineList } from '../../broker/api/machines.js'
import {
  type Grant,
  type GrantPlace,
  OBJECT_KINDS,
  SUBJECT_KINDS,
  type Verb,
  VERBS,
} from '../../broker/api/permissions.js'
import type { Pool } from '../../broker/api/pools.js'
import { api } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { ChoiceField, ManyField, TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { PersonField } from '../parts/person-field.js'
import { type GrantDraft, grantAt, isWhole, moved, NEW_GRANT, verbsOf } from './grant-draft.js'

interface GrantFormProps {
  readonly grant: Grant | null
  readonly close: () => void
}

/**
 * Gives a person or a role permissions on a pool or a machine. It shows what the subject has there
 * already, since saving replaces it.
 */
export function GrantForm({ grant, close }: GrantFormProps): ReactElement {
  const { t } = useTranslation()
  const [draft, setDraft] = useState<GrantDraft>(grant ? { ...grant, verbs: null } : NEW_GRANT)
  const grants = useGet<{ grants: Grant[] }>('/grants', ['grants'])
  const known = grants.data?.grants ?? []
  const there = grantAt(known, draft)
  const verbs = verbsOf(draft, there)
  const { kind, object, subjectKind, subject } = draft
  const give = useAct(async () => {
    await api('PUT', '/grants', { body: { kind, object, subjectKind, subject, verbs } })
  })
  return (
    <FormDialogue
      title={grant ? t('grants.change') : t('grants.create')}
      action={t('grants.save')}
      pending={give.isPending}
      error={give.error ?? grants.error}
      isDisabled={grants.data === undefined || !isWhole(draft, verbs)}
      close={close}
      onSubmit={() => {
        give.mutate(undefined, { onSuccess: close })
      }}
    >
      {grant === null ? (
        <Place
          draft={draft}
          move={(part) => {
            setDraft(moved(draft, part, known))
          }}
        />
      ) : (
        <p>
          {object} – {subject}
        </p>
      )}
      {there && <Replaced there={there} draft={draft} isNew={grant === null} />}
      <VerbsField
        verbs={verbs}
        onChange={(chosen) => {
          setDraft({ ...draft, verbs: chosen })
        }}
      />
    </FormDialogue>
  )
}

interface VerbsFieldProps {
  readonly verbs: readonly Verb[]
  readonly onChange: (verbs: readonly Verb[]) => void
}

function VerbsField({ verbs, onChange }: VerbsFieldProps): ReactElement {
  const { t } = useTranslation()
  return (
    <ManyField
      label={t('grants.may')}
      value={verbs}
      onChange={onChange}
      choices={VERBS.map((value) => ({ value, name: t(`verbs.${value}`) }))}
    />
  )
}

/** What the subject has there already, and would lose. */
function Replaced({
  there,
  draft,
  isNew,
}: {
  there: Grant
  draft: GrantDraft
  isNew: boolean
}): ReactElement | null {
  const { t } = useTranslation()
  const { subject, object } = draft
  const kept = verbsOf(draft, there)
  const losing = there.verbs
    .filter((verb) => !kept.includes(verb))
    .map((verb) => t(`verbs.${verb}`))
  if (losing.length > 0)
    return (
      <Alert
        isInline
        isLiveRegion
        variant="warning"
        title={t('grants.losing', { subject, object, verbs: losing.join(', ') })}
      />
    )
  if (!isNew) return null
  return <Alert isInline isLiveRegion variant="info" title={t('grants.has', { subject })} />
}

interface PlaceProps {
  readonly draft: GrantPlace
  readonly move: (part: Partial<GrantPlace>) => void
}

/** Whom, and on what. */
function Place({ draft, move }: PlaceProps): ReactElement {
  const { t } = useTranslation()
  const { kind, object, subjectKind, subject } = draft
  const pools = useGet<{ pools: Pool[] }>('/pools', ['pools'])
  const machines = useGet<MachineList>('/machines', ['machines'])
  const objects = kind === 'pool' ? pools.data?.pools : machines.data?.machines
  const who = {
    label: t('grants.subject'),
    value: subject,
    onChange: (text: string) => {
      move({ subject: text })
    },
  }
  return (
    <>
      <ChoiceField
        label={t('grants.kind')}
        value={kind}
        onChange={(chosen) => {
          move({ kind: chosen })
        }}
        choices={OBJECT_KINDS.map((value) => ({ value, name: t(`kinds.${value}`) }))}
      />
      <TextField
        label={t('grants.object')}
        isRequired
        value={object}
        onChange={(text) => {
          move({ object: text })
        }}
        list={(objects ?? []).map(({ name }) => name)}
      />
      <ChoiceField
        label={t('grants.subjectKind')}
        value={subjectKind}
        onChange={(chosen) => {
          move({ subjectKind: chosen })
        }}
        choices={SUBJECT_KINDS.map((value) => ({ value, name: t(`subjectKinds.${value}`) }))}
      />
      {subjectKind === 'user' ? <PersonField {...who} /> : <TextField {...who} isRequired />}
    </>
  )
}
