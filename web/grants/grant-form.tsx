import { Alert } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { MachineList } from '../../broker/api/machines.js'
import { type Grant, OBJECT_KINDS, SUBJECT_KINDS, VERBS } from '../../broker/api/permissions.js'
import type { Pool } from '../../broker/api/pools.js'
import type { User } from '../../broker/api/users.js'
import { api } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { ChoiceField, ManyField, TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'

const USUAL: Grant = { kind: 'pool', object: '', subjectKind: 'user', subject: '', verbs: ['start', 'accessConsole', 'release', 'extend'] }

/** Gives a person or a role permissions on a pool or a machine; what it had there before is replaced. */
export function GrantForm ({ grant, close }: { grant: Grant | null, close: () => void }): ReactElement {
  const { t } = useTranslation()
  const [wish, setWish] = useState<Grant>(grant ?? USUAL)
  const pools = useGet<{ pools: Pool[] }>('/pools', ['pools'])
  const machines = useGet<MachineList>('/machines', ['machines'])
  const users = useGet<{ users: User[] }>('/users', ['people'])
  const grants = useGet<{ grants: Grant[] }>('/grants', ['grants'])
  const already = (one: Grant): Grant | undefined => grant === null ? grants.data?.grants.find(({ kind, object, subjectKind, subject }) => kind === one.kind && object === one.object && subjectKind === one.subjectKind && subject.toLowerCase() === one.subject.toLowerCase()) : undefined
  const give = useAct(async () => { await api('PUT', '/grants', { body: wish }) })
  const set = (part: Partial<Grant>): void => {
    const next = { ...wish, ...part }
    // What there is stays chosen: the new permissions take its place.
    setWish({ ...next, verbs: part.verbs ?? (already(next)?.verbs ?? (already(wish) ? USUAL.verbs : next.verbs)) })
  }
  const objects = wish.kind === 'pool' ? pools.data?.pools : machines.data?.machines
  return (
    <FormDialogue title={grant ? t('grants.change') : t('grants.create')} action={t('grants.save')} pending={give.isPending} error={give.error} isDisabled={wish.object === '' || wish.subject === '' || wish.verbs.length === 0} close={close} onSubmit={() => { give.mutate(undefined, { onSuccess: close }) }}>
      {grant === null && (
        <>
          <ChoiceField label={t('grants.kind')} value={wish.kind} onChange={(kind) => { set({ kind }) }} choices={OBJECT_KINDS.map((value) => ({ value, name: t(`kinds.${value}`) }))} />
          <TextField label={t('grants.object')} isRequired value={wish.object} onChange={(object) => { set({ object }) }} list={(objects ?? []).map(({ name }) => name)} />
          <ChoiceField label={t('grants.subjectKind')} value={wish.subjectKind} onChange={(subjectKind) => { set({ subjectKind }) }} choices={SUBJECT_KINDS.map((value) => ({ value, name: t(`subjectKinds.${value}`) }))} />
          <TextField label={t('grants.subject')} isRequired value={wish.subject} onChange={(subject) => { set({ subject }) }} {...(wish.subjectKind === 'user' ? { list: (users.data?.users ?? []).map(({ name }) => name) } : {})} />
        </>
      )}
      {grant !== null && <p>{wish.object} – {wish.subject}</p>}
      {already(wish) && <Alert isInline isPlain isLiveRegion variant="info" title={t('grants.hasAlready', { subject: wish.subject })} />}
      <ManyField label={t('grants.may')} value={wish.verbs} onChange={(verbs) => { set({ verbs: [...verbs] }) }} choices={VERBS.map((value) => ({ value, name: t(`verbs.${value}`) }))} />
    </FormDialogue>
  )
}
