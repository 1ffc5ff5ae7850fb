import { Alert } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { Machine } from '../../broker/api/machines.js'

/** As far as it is known: the broker itself looks once more. */
const OFF: readonly string[] = ['off', 'missing', 'crashed', 'unknown']

export function isOff({ power }: { readonly power: string }): boolean {
  return OFF.includes(power)
}

/** Says that a machine has to be shut down first; nothing where it is off. */
export function MustBeOff({ machine }: { machine: Machine }): ReactElement | null {
  const { t } = useTranslation()
  const { name, power } = machine
  if (isOff(machine)) return null
  return (
    <Alert
      isInline
      variant="warning"
      title={t('images.mustBeOff', {
        name,
        power: t(`machines.powers.${power}`).toLocaleLowerCase(),
      })}
    />
  )
}
