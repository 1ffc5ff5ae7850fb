import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { Confirm } from '../parts/confirm.js'
import { Affected } from './act-dialogue.js'

/** Takes a machine back from who has it, also while they are connected; says so before. */
export function ReleaseMachine({
  machine,
  desktop,
  close,
}: {
  machine: Machine
  desktop: Desktop
  close: () => void
}): ReactElement {
  const { t } = useTranslation()
  const { name } = machine
  const act = useAct(async () => {
    await api('POST', path`/machines/${name}/release`, { body: { force: true } })
  })
  return (
    <Confirm
      title={t('machines.releaseTitle', { name })}
      action={t('machines.release')}
      danger
      pending={act.isPending}
      error={act.error}
      close={close}
      onConfirm={() => {
        act.mutate(undefined, { onSuccess: close })
      }}
    >
      <p>{t('machines.releaseWhat', { name, holder: desktop.holder })}</p>
      <Affected machines={[machine]} desktops={new Map([[name, desktop]])} />
    </Confirm>
  )
}
