import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { CheckBox } from '../parts/fields.js'

interface ComparedBoxProps {
  readonly isChecked: boolean
  readonly onChange: (isChecked: boolean) => void
}

/** How the key of a host is read on the host itself, and that somebody has compared it. */
export function ComparedBox({ isChecked, onChange }: ComparedBoxProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <p>
        {t('hypervisors.compareHow')}{' '}
        <code>ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub</code>
      </p>
      <CheckBox label={t('hypervisors.compared')} value={isChecked} onChange={onChange} />
    </>
  )
}
