import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { HostKeys, Hypervisor } from '../../broker/api/hypervisors.js'
import { api, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { Confirm } from '../parts/confirm.js'
import { Loaded } from '../parts/loaded.js'
import { ComparedBox } from './compared-box.js'

interface HostKeyDialogueProps {
  readonly hypervisor: Hypervisor
  readonly close: () => void
}

/** The pinned key beside the one that the host shows now; another one is pinned only after it was compared. */
export function HostKeyDialogue({
  hypervisor: { name },
  close,
}: HostKeyDialogueProps): ReactElement {
  const { t } = useTranslation()
  const [compared, setCompared] = useState(false)
  const keys = useGet<HostKeys>(path`/hypervisors/${name}/host-key`, ['hypervisors'])
  const offered = keys.data?.offered ?? null
  const changed = offered !== null && offered !== keys.data?.pinned
  const trust = useAct(
    async () =>
      await api('POST', path`/hypervisors/${name}/trust`, { body: { fingerprint: offered } }),
  )
  return (
    <Confirm
      title={t('hypervisors.hostKeyOf', { name })}
      action={t(changed ? 'hypervisors.trust' : 'common.close')}
      danger={changed}
      pending={trust.isPending || (changed && !compared)}
      error={trust.error}
      close={close}
      onConfirm={() => {
        changed ? trust.mutate(undefined, { onSuccess: close }) : close()
      }}
    >
      <Loaded query={keys}>
        {(known) => (
          <>
            <Keys keys={known} />
            {changed && <ComparedBox isChecked={compared} onChange={setCompared} />}
          </>
        )}
      </Loaded>
    </Confirm>
  )
}

function Keys({ keys: { pinned, offered, reason } }: { keys: HostKeys }): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <p>
        {t('hypervisors.pinned')}: <span className="berth-mono">{pinned}</span>
      </p>
      <p>
        {t('hypervisors.offered')}: <span className="berth-mono">{offered ?? reason ?? '–'}</span>
      </p>
      {offered === pinned && <p>{t('hypervisors.sameKey')}</p>}
    </>
  )
}
