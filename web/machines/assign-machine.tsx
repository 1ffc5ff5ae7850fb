import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { AssignAnswer } from '../../broker/api/assignments.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { Afterwards } from '../parts/afterwards.js'
import { CheckField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { PersonField } from '../parts/person-field.js'

interface AssignMachineProps {
  readonly machine: string
  readonly title: string
  /** About the time. */
  readonly hint?: string
  readonly close: () => void
}

/** Gives this machine to a person, for a time or for good. */
export function AssignMachine({ machine, title, hint, close }: AssignMachineProps): ReactElement {
  const { t } = useTranslation()
  const [user, setUser] = useState('')
  const [fixed, setFixed] = useState(false)
  const act = useAct(
    async () =>
      await api<AssignAnswer>('POST', path`/machines/${machine}/assign`, {
        body: { user, ...(fixed ? { fixed } : {}) },
      }),
  )
  if (act.data && act.data.warnings.length > 0)
    return (
      <Afterwards
        title={t('pools.assigned', { machine: act.data.machine, holder: act.data.holder })}
        warnings={act.data.warnings}
        close={close}
      />
    )
  return (
    <FormDialogue
      title={title}
      action={t('pools.deeds.assign')}
      pending={act.isPending}
      error={act.error}
      isDisabled={user.trim() === ''}
      close={close}
      onSubmit={() => {
        act.mutate(undefined, {
          onSuccess: ({ warnings }) => {
            if (warnings.length === 0) close()
          },
        })
      }}
    >
      <PersonField label={t('pools.person')} value={user} onChange={setUser} />
      <CheckField
        label={t('pools.fixed')}
        value={fixed}
        onChange={setFixed}
        {...(hint === undefined ? {} : { hint })}
      />
    </FormDialogue>
  )
}
