import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import { byteText, mibText } from '../parts/amounts.js'
import { Bar } from '../parts/bar.js'
import { StateLabel } from '../parts/state-label.js'

const FEELINGS = {
  connecting: 'busy',
  up: 'good',
  unreachable: 'bad',
  maintenance: 'maintenance',
} as const

export function HypervisorLabel({
  hypervisor: { state, reason, drain, observed },
}: {
  hypervisor: Pick<Hypervisor, 'state' | 'reason' | 'drain' | 'observed'>
}): ReactElement {
  const { t } = useTranslation()
  if (drain !== null && state === 'maintenance')
    return (
      <StateLabel feeling={drain === 'empty' ? 'good' : 'maintenance'} title={reason}>
        {t(`drain.states.${drain}`)}
      </StateLabel>
    )
  if (state === 'up' && observed.reason !== '' && !observed.current)
    return (
      <StateLabel feeling="bad" title={reason}>
        {t('hypervisors.unseen')}
      </StateLabel>
    )
  return (
    <StateLabel feeling={FEELINGS[state]} title={reason}>
      {t(`hypervisors.states.${state}`)}
    </StateLabel>
  )
}

export function MemoryBar({
  hypervisor: { capacity, name },
}: {
  hypervisor: Pick<Hypervisor, 'capacity' | 'name'>
}): ReactElement {
  const { t } = useTranslation()
  return capacity === null ? (
    <>–</>
  ) : (
    <Bar
      label={t('hypervisors.memoryOf', { name })}
      used={capacity.memoryMib - capacity.memoryFreeMib}
      total={capacity.memoryMib}
      text={mibText}
    />
  )
}

export function DiskBar({
  hypervisor: { capacity, name },
}: {
  hypervisor: Pick<Hypervisor, 'capacity' | 'name'>
}): ReactElement {
  const { t } = useTranslation()
  return capacity === null ? (
    <>–</>
  ) : (
    <Bar
      label={t('hypervisors.diskOf', { name })}
      used={capacity.imagesTotalBytes - capacity.imagesFreeBytes}
      total={capacity.imagesTotalBytes}
      text={byteText}
    />
  )
}
