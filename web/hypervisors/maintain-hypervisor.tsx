import { TextInput } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import type { Machine } from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { Affected } from '../machines/act-dialogue.js'
import { Confirm } from '../parts/confirm.js'

export interface WithMachinesProps {
  readonly hypervisor: Hypervisor
  /** Those that are on it. */ readonly machines: readonly Machine[]
  readonly desktops: ReadonlyMap<string, Desktop>
  readonly close: () => void
}

/** Begins or ends its maintenance; before it begins, those whom it concerns are named. */
export function MaintainHypervisor({
  hypervisor: { name, maintenance },
  machines,
  desktops,
  close,
}: WithMachinesProps): ReactElement {
  const { t } = useTranslation()
  const [reason, setReason] = useState('')
  const change = useAct(
    async () =>
      await api('PUT', path`/hypervisors/${name}/maintenance`, {
        body: { on: !maintenance, ...(reason === '' ? {} : { reason }) },
      }),
  )
  const word = maintenance ? 'machines.acts.maintenanceOff' : 'machines.acts.maintenanceOn'
  return (
    <Confirm
      title={t('machines.askOne', { act: t(word), name })}
      action={t(word)}
      pending={change.isPending}
      error={change.error}
      close={close}
      onConfirm={() => {
        change.mutate(undefined, { onSuccess: close })
      }}
    >
      <p>{t(maintenance ? 'hypervisors.maintenanceEnds' : 'hypervisors.maintenanceMeans')}</p>
      {!maintenance && (
        <>
          <Affected machines={machines} desktops={desktops} />
          <Reason reason={reason} setReason={setReason} />
        </>
      )}
    </Confirm>
  )
}

function Reason({
  reason,
  setReason,
}: {
  reason: string
  setReason: (reason: string) => void
}): ReactElement {
  const { t } = useTranslation()
  return (
    <label>
      {t('machines.reason')}
      <TextInput
        value={reason}
        maxLength={200}
        aria-label={t('machines.reason')}
        onChange={(_event, value) => {
          setReason(value)
        }}
      />
    </label>
  )
}
