import { Checkbox } from '@patternfly/react-core'
import { type ReactElement, useId } from 'react'
import { useTranslation } from 'react-i18next'

interface ComparedBoxProps {
  readonly isChecked: boolean
  readonly onChange: (isChecked: boolean) => void
}

/** How the key of a host is read on the host itself, and that somebody has compared it. */
export function ComparedBox({ isChecked, onChange }: ComparedBoxProps): ReactElement {
  const { t } = useTranslation()
  const id = useId()
  return (
    <>
      <p>
        {t('hypervisors.compareHow')}{' '}
        <code>ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub</code>
      </p>
      <Checkbox
        id={id}
        label={t('hypervisors.compared')}
        isChecked={isChecked}
        onChange={(_event, on) => {
          onChange(on)
        }}
      />
    </>
  )
}
