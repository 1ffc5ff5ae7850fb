import { Alert } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { AssignAnswer } from '../../broker/api/assignments.js'
import type { User } from '../../broker/api/users.js'
import { api } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { CheckField, TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'

/** Gives somebody a desktop: one of a pool, or this one. What the administrator may have overlooked, such as a name that nobody has, is said before it closes. `at`: the path of the API. */
export function AssignDialogue ({ title, action, at, close }: { title: string, action: string, at: string, close: () => void }): ReactElement {
  const { t } = useTranslation()
  const [user, setUser] = useState('')
  const [fixed, setFixed] = useState(false)
  const users = useGet<{ users: User[] }>('/users', ['people'])
  const act = useAct(async () => await api<AssignAnswer>('POST', at, { body: { user, ...(fixed ? { fixed } : {}) } }))
  const warnings = act.data?.warnings ?? []
  if (warnings.length > 0) {
    return (
      <FormDialogue title={title} action={t('common.close')} pending={false} error={null} close={close} onSubmit={close}>
        <Alert isInline isLiveRegion variant="warning" title={t('pools.assigned', { user })}>{warnings.map((one) => <p key={one}>{one}</p>)}</Alert>
      </FormDialogue>
    )
  }
  return (
    <FormDialogue title={title} action={action} pending={act.isPending} error={act.error} isDisabled={user === ''} close={close} onSubmit={() => { act.mutate(undefined, { onSuccess: (answer) => { if (answer.warnings.length === 0) close() } }) }}>
      <TextField label={t('pools.person')} isRequired value={user} onChange={setUser} list={(users.data?.users ?? []).map(({ name }) => name)} />
      <CheckField label={t('pools.fixed')} value={fixed} onChange={setFixed} />
    </FormDialogue>
  )
}
