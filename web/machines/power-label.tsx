import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { Machine, PowerState } from '../../broker/api/machines.js'
import { type Feeling, StateLabel } from '../parts/state-label.js'

const FEELINGS: Readonly<Record<PowerState, Feeling>> = {
  running: 'good',
  off: 'quiet',
  paused: 'info',
  suspended: 'info',
  crashed: 'bad',
  'shutting-down': 'busy',
  missing: 'bad',
  unknown: 'quiet',
}

/** What libvirt says of its power; a job that works on it and maintenance stand beside it. */
export function PowerLabel({
  machine,
}: {
  machine: Pick<Machine, 'power' | 'powerReason' | 'maintenance' | 'maintenanceReason' | 'job'>
}): ReactElement {
  const { t } = useTranslation()
  return (
    <span className="berth-states">
      <StateLabel feeling={FEELINGS[machine.power]} title={machine.powerReason}>
        {t(`machines.powers.${machine.power}`)}
      </StateLabel>
      {machine.maintenance && (
        <StateLabel
          feeling="maintenance"
          title={[t('machines.maintenance'), machine.maintenanceReason]
            .filter((part) => part !== '')
            .join(': ')}
        >
          {t('machines.maintenance')}
        </StateLabel>
      )}
      {machine.job !== null && (
        <StateLabel feeling="busy" title={machine.job}>
          {t('machines.jobWorks')}
        </StateLabel>
      )}
    </span>
  )
}
